import { signIn, type SignInWays } from "./auth";

type Oidc = NonNullable<SignInWays["oidc"]>;

const PENDING = "oidc-pending";

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function discover(issuer: string): Promise<{ authorization_endpoint: string; token_endpoint: string }> {
  const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error("the identity provider does not answer");
  return response.json();
}

/** OpenID Connect's authorization code flow with PKCE (RFC 7636), which needs no secret in the browser. */
export async function beginOidc(oidc: Oidc): Promise<void> {
  const { authorization_endpoint } = await discover(oidc.issuer);
  const [verifier, state] = [random(), random()];
  const challenge = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, oidc, back: location.pathname + location.search }));
  const address = new URL(authorization_endpoint);
  // What the provider has in its address stays there (RFC 6749, section 3.1).
  for (const [name, value] of Object.entries({
    response_type: "code", client_id: oidc.client_id, redirect_uri: `${location.origin}/`, scope: oidc.scope, state,
    code_challenge: challenge, code_challenge_method: "S256",
  })) address.searchParams.set(name, value);
  location.assign(address);
}

/** Back from the identity provider: the code becomes a token. Resolves to a sentence when something is wrong. */
export async function finishOidc(): Promise<string | undefined> {
  const answer = new URLSearchParams(location.search);
  const kept = sessionStorage.getItem(PENDING);
  if (kept === null || !answer.has("state")) return undefined;
  sessionStorage.removeItem(PENDING);
  const { verifier, state, oidc, back } = JSON.parse(kept) as { verifier: string; state: string; oidc: Oidc; back: string };
  history.replaceState(null, "", back);
  if (answer.get("state") !== state) return "The answer of the identity provider belongs to another attempt. Try again.";
  const code = answer.get("code");
  if (code === null) return answer.get("error_description") ?? "The identity provider did not sign you in.";
  try {
    const { token_endpoint } = await discover(oidc.issuer);
    const response = await fetch(token_endpoint, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code", code, redirect_uri: `${location.origin}/`, client_id: oidc.client_id, code_verifier: verifier,
      }),
    });
    const { access_token } = await response.json();
    if (!response.ok || typeof access_token !== "string") return "The identity provider gave no token. Try again.";
    signIn(access_token);
    return undefined;
  } catch {
    return "The identity provider cannot be reached. Try again.";
  }
}
