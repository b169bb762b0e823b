"""The token check under input that nobody thought of. The packet decoder's fuzzers are in `tests/transport`, the
importers' in `tests/reconciliation`; ``make fuzz`` runs all of them for long."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_server.auth.identity import Identity
from realtime_server.auth.issue import issue_token
from realtime_server.auth.tokens import TokenVerifier
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ErrorCode

SECRET = b"a secret of the tests, long enough for HS256"
VERIFIER = TokenVerifier(secret=SECRET)
GOOD = issue_token(SECRET, "alice", "Alice", {"demo": Role.PREPARER}, 86_400)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def check(token: object) -> Identity | ErrorCode:
    try:
        return asyncio.run(VERIFIER.verify(token))
    except CollaborationError as error:
        return error.code


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(st.text(max_size=300) | st.binary(max_size=300) | json_values)
def test_what_is_no_token_is_refused_and_nothing_else_happens(token: object) -> None:
    assert check(token) is ErrorCode.UNAUTHENTICATED


@given(st.integers(0, len(GOOD) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_token_with_one_character_changed_is_refused(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    found = check(changed)
    # The last character of a signature carries bits that mean nothing: such a token is the same token.
    same = changed == GOOD or place == len(GOOD) - 1
    assert found is ErrorCode.UNAUTHENTICATED or (same and isinstance(found, Identity))


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "jku", "jwk", "x5u", "crit", "b64", "zip"]), json_values),
    st.dictionaries(st.sampled_from(["sub", "name", "exp", "iat", "nbf", "iss", "aud", "projects"]), json_values),
    st.text(alphabet="ABCabc012-_", max_size=50),
)
def test_no_header_and_no_claims_are_believed_without_the_signature(
    header: dict[str, Any], claims: dict[str, Any], signature: str
) -> None:
    assert check(f"{encoded(header)}.{encoded(claims)}.{signature}") is ErrorCode.UNAUTHENTICATED
