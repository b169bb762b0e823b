/** Which tabs of this browser are alive, so that one tab takes over what another left behind, and only then. */
export interface Tabs {
  readonly id: string;
  /** True when this tab now looks after what belonged to `owner`. */
  adopt(owner: string): Promise<boolean>;
  close(): void;
}

const name = (id: string): string => `collaboration-tab-${id}`;

/**
 * Each tab holds a Web Lock of its own name for as long as it lives; whoever gets another's lock knows that it is gone.
 * Without Web Locks (pages over plain HTTP from another machine) everything is taken over: an edit that two tabs send
 * has one id, so the server still applies it once.
 */
export function browserTabs(id: string, locks: LockManager | undefined = globalThis.navigator?.locks): Tabs {
  const releases: (() => void)[] = [];
  const hold = (owner: string): Promise<boolean> =>
    new Promise((resolve) => {
      void locks!
        .request(name(owner), { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          if (lock === null) return undefined;
          return new Promise<void>((release) => releases.push(release));
        })
        .catch(() => resolve(true));
    });
  if (locks) void hold(id);
  return {
    id,
    adopt: (owner) => (owner === id || !locks ? Promise.resolve(true) : hold(owner)),
    close: () => releases.splice(0).forEach((release) => release()),
  };
}

/** 128 random bits. `crypto.randomUUID` is missing on pages over plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
