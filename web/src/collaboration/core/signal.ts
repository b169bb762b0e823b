/** A value that tells when it changes. Listeners get nothing: they read, so that they can never hold an old value. */
export class Signal<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Resolves as soon as the value passes, at once if it does already. */
  async when(passes: (value: T) => boolean): Promise<T> {
    if (passes(this.#value)) return this.#value;
    return new Promise((resolve) => {
      const stop = this.subscribe(() => {
        if (!passes(this.#value)) return;
        stop();
        resolve(this.#value);
      });
    });
  }
}
