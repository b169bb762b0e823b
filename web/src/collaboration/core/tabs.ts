/** Which tabs of this browser are alive, so that one tab takes over what another left behind, and only then. */
export interface Tabs {
  readonly id: string;
  /** Resolves as soon as the tab `owner` is gone; for one of several that wait, and for the others after that one. */
  gone(owner: string): Promise<void>;
  close(): void;
}

const name = (id: string): string => `collaboration-tab-${id}`;

/**
 * Each tab holds a Web Lock of its own name for as long as it lives; whoever gets another's lock knows that it is gone.
 * Without Web Locks (pages over plain HTTP from another machine) every other tab counts as gone: an edit that two tabs
 * send has one id, so the server still applies it once.
 */
export function browserTabs(id: string, locks: LockManager | undefined = globalThis.navigator?.locks): Tabs {
  const ended = new AbortController();
  const hold = (owner: string): Promise<void> =>
    new Promise((held) => {
      const work = () => {
        held();
        return new Promise<void>((release) => ended.signal.addEventListener("abort", () => release()));
      };
      // Refused only when this tab ends first: then nobody waits for it any more.
      locks!.request(name(owner), { signal: ended.signal }, work).catch(() => undefined);
    });
  if (locks) void hold(id);
  const known = new Map<string, Promise<void>>();
  return {
    id,
    gone(owner) {
      if (owner === id || !locks) return Promise.resolve();
      const waiting = known.get(owner) ?? hold(owner);
      known.set(owner, waiting);
      return waiting;
    },
    close: () => ended.abort(),
  };
}

/** 128 random bits. `crypto.randomUUID` is missing on pages over plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
