"""Who somebody is: tokens in, identities out.

- `identity`: `Identity`, and how claims become one
- `tokens`: `TokenVerifier`, the only place a token is believed
- `keys`: key sets (JWKS) from a URL or a file
- `issue`: tokens for development, and the secret of a server that was given none
"""
