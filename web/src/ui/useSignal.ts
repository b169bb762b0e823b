import { useSyncExternalStore } from "react";
import type { Signal } from "../collaboration/core/signal";

/** A signal's value; drawn again when it changes. */
export function useSignal<T>(signal: Signal<T>): T {
  return useSyncExternalStore(signal.subscribe, signal.get, signal.get);
}
