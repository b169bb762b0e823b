import { useCallback, useSyncExternalStore } from "react";

/** The address is the application's state: what is shown can be sent to somebody else as a link. */
const CHANGED = "addresschange";

function subscribe(listener: () => void): () => void {
  addEventListener("popstate", listener);
  addEventListener(CHANGED, listener);
  return () => {
    removeEventListener("popstate", listener);
    removeEventListener(CHANGED, listener);
  };
}

export function go(path: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", path);
  else history.replaceState(null, "", path);
  dispatchEvent(new Event(CHANGED));
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

export type Parameters = Readonly<Record<string, string>>;
let cached: { search: string; parameters: Parameters } = { search: "", parameters: {} };

function parameters(): Parameters {
  if (cached.search !== location.search) {
    cached = { search: location.search, parameters: Object.fromEntries(new URLSearchParams(location.search)) };
  }
  return cached.parameters;
}

/** The address's parameters, and how to change some of them; undefined removes one. */
export function useParameters(): [Parameters, (change: Record<string, string | undefined>, push?: boolean) => void] {
  const current = useSyncExternalStore(subscribe, parameters);
  const change = useCallback((changes: Record<string, string | undefined>, push = false) => {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined || value === "") next.delete(name);
      else next.set(name, value);
    }
    const search = next.size > 0 ? `?${next}` : "";
    if (search !== location.search) go(location.pathname + search, push ? "push" : "replace");
  }, []);
  return [current, change];
}
