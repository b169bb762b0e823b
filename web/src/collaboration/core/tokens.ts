/** Where tokens come from. `refresh` rejects when there is no way to get another without the person. */
export interface TokenSource {
  current(): Promise<string>;
  refresh(): Promise<string>;
}

export function fixedToken(token: string): TokenSource {
  return {
    current: () => Promise.resolve(token),
    refresh: () => Promise.reject(new Error("This token cannot be renewed; sign in again.")),
  };
}

export interface Claims {
  sub: string;
  name: string;
  exp: number;
  projects: Record<string, string>;
}

/** What a token says of its holder. Only for display: the server checks it, this does not. */
export function claimsOf(token: string): Claims | undefined {
  try {
    const part = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims.sub !== "string") return undefined;
    return { sub: claims.sub, name: claims.name ?? claims.sub, exp: claims.exp ?? 0, projects: claims.projects ?? {} };
  } catch {
    return undefined;
  }
}
