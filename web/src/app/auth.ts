import { claimsOf, type TokenSource } from "../collaboration/core/tokens";
import { Signal } from "../collaboration/core/signal";

/** Ways to sign in that the server offers. */
export interface SignInWays {
  demonstration: { user_id: string; name: string; role: string; token: string }[];
  oidc: { issuer: string; client_id: string; scope: string } | null;
}

const KEY = "token";

/** The token lives with its tab: another window can be another person. */
export const token = new Signal<string | undefined>(stored());

function stored(): string | undefined {
  const found = sessionStorage.getItem(KEY) ?? undefined;
  return found && alive(found) ? found : undefined;
}

export function alive(candidate: string): boolean {
  const claims = claimsOf(candidate);
  return claims !== undefined && (claims.exp === 0 || claims.exp * 1000 > Date.now());
}

export function signIn(value: string): void {
  sessionStorage.setItem(KEY, value);
  token.set(value);
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  token.set(undefined);
}

/** A token that came in the address's fragment (which is never sent anywhere); it does not stay there. */
export function takeFromAddress(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (alive(given)) signIn(given);
}

export async function waysToSignIn(): Promise<SignInWays> {
  const response = await fetch("/sign-in.json");
  return response.ok ? response.json() : { demonstration: [], oidc: null };
}

/** The signed-in person's tokens; in the demonstration a new one is fetched when one runs out. */
export const tokens: TokenSource = {
  current: () => {
    const value = token.get();
    return value === undefined ? Promise.reject(new Error("Nobody is signed in.")) : Promise.resolve(value);
  },
  refresh: async () => {
    const me = claimsOf(await tokens.current())?.sub;
    const next = (await waysToSignIn()).demonstration.find((person) => person.user_id === me)?.token;
    if (next === undefined) throw new Error("Sign in again.");
    signIn(next);
    return next;
  },
};
