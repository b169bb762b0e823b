import { createContext, useContext } from "react";
import { Signal } from "../core";

export interface Toast {
  id: number;
  tone: "good" | "bad" | "info";
  text: string;
  action?: { label: string; run: () => void };
}

/** Milliseconds in which one is not warned twice of the same. */
const WARNED = 30_000;

/** What the parts of the page tell each other: where to go, what to announce. Nothing of it is shared with others. */
export class Workspace {
  readonly jump = new Signal<{ record_id: string; field_name?: string } | undefined>(undefined);
  readonly toasts = new Signal<readonly Toast[]>([]);
  /** Read out to whoever does not see the page. */
  readonly announcement = new Signal("");
  readonly #warned = new Map<string, number>();
  #next = 1;

  toast(tone: Toast["tone"], text: string, action?: Toast["action"]): void {
    const toast: Toast = { id: this.#next++, tone, text, ...(action ? { action } : {}) };
    this.toasts.update((all) => [...all.slice(-3), toast]);
    if (tone !== "bad" && !action) setTimeout(() => this.dismiss(toast.id), 6_000);
  }

  /** A toast about something that may be seen from several sides at once: told once. `about` names it. */
  warn(about: string, text: string): void {
    const now = Date.now();
    for (const [known, at] of this.#warned) if (now - at > WARNED) this.#warned.delete(known);
    if (this.#warned.has(about)) return;
    this.#warned.set(about, now);
    this.toast("info", text);
  }

  dismiss(id: number): void {
    this.toasts.update((all) => all.filter((toast) => toast.id !== id));
  }

  announce(text: string): void {
    // The same text twice would not be read: a trailing space makes it another.
    this.announcement.update((last) => (last === text ? `${text}\u00a0` : text));
  }
}

export const WorkspaceContext = createContext<Workspace | undefined>(undefined);

export function useWorkspace(): Workspace {
  const workspace = useContext(WorkspaceContext);
  if (!workspace) throw new Error("This is a part of RealTimeCollaboration.");
  return workspace;
}
