import { createContext, useContext } from "react";
import { Signal } from "../core";

export interface Toast {
  id: number;
  tone: "good" | "bad" | "info";
  text: string;
  action?: { label: string; run: () => void };
}

/** Something that concerns the person, kept until they leave. */
export interface News {
  id: number;
  at: string;
  text: string;
  record_id?: string;
}

const MAX_NEWS = 100;

/** What the parts of the page tell each other: where to go, what to announce. Nothing of it is shared with others. */
export class Workspace {
  readonly jump = new Signal<{ record_id: string; field_name?: string } | undefined>(undefined);
  readonly toasts = new Signal<readonly Toast[]>([]);
  readonly news = new Signal<readonly News[]>([]);
  /** How many of them the person has not looked at. */
  readonly unread = new Signal(0);
  /** Read out to whoever does not see the page. */
  readonly announcement = new Signal("");
  #next = 1;

  toast(tone: Toast["tone"], text: string, action?: Toast["action"]): void {
    const toast: Toast = { id: this.#next++, tone, text, ...(action ? { action } : {}) };
    this.toasts.update((all) => [...all.slice(-3), toast]);
    if (tone !== "bad" && !action) setTimeout(() => this.dismiss(toast.id), 6_000);
  }

  /** Tell at once, and keep it for later. */
  inform(text: string, record_id?: string): void {
    const item: News = { id: this.#next++, at: new Date().toISOString(), text, ...(record_id ? { record_id } : {}) };
    this.news.update((all) => [item, ...all].slice(0, MAX_NEWS));
    this.unread.update((n) => n + 1);
    this.toast("info", text, record_id ? { label: "Show", run: () => this.jump.set({ record_id }) } : undefined);
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
