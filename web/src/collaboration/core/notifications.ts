import type { Notification, NotificationsPage, ReadDone, Unread } from "./contract";
import type { Rest } from "./rest";
import { Signal } from "./signal";

const PAGE = 50;
/** Most that are kept here; the server keeps more, and the list fetches them when it is opened. */
const MAX_KEPT = 500;

/**
 * What concerns one, kept by the server until it is read: what is unread when one comes, what happens while one is
 * here, and the older ones when asked for.
 */
export class NotificationBook {
  /** Unread first, then the newest first, as they were when the list was fetched; what comes live stands on top. */
  readonly items = new Signal<readonly Notification[]>([]);
  readonly unread = new Signal(0);
  /** Whether there are older ones to fetch. */
  readonly more = new Signal(true);
  readonly #rest: Pick<Rest, "get" | "post">;
  readonly #listeners = new Set<(notification: Notification) => void>();
  #cursor: string | undefined;

  constructor(rest: Pick<Rest, "get" | "post">) {
    this.#rest = rest;
  }

  /** Told of each that comes while one is here. */
  onNew(listener: (notification: Notification) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What a join brings: how many are unread in the session's project, and the newest of them. For somebody who has a part
   * in other projects that is not the whole, which is fetched.
   */
  entered({ unread, items }: Unread, { otherProjects = false } = {}): void {
    this.unread.update((known) => (otherProjects ? Math.max(known, unread) : unread));
    this.#add(items);
    if (otherProjects) void this.load().catch(() => undefined); // the list, when it is opened, tries again and says why not
  }

  receive(notification: Notification): void {
    if (this.items.get().some((known) => known.notification_id === notification.notification_id)) return;
    this.items.update((all) => [notification, ...all].slice(0, MAX_KEPT));
    this.unread.update((n) => n + 1);
    for (const listener of [...this.#listeners]) listener(notification);
  }

  /** Fetch the list anew, or its next page. `RestError` when it cannot be had. */
  async load(next = false): Promise<void> {
    const cursor = next ? this.#cursor : undefined;
    const before = identities(this.items.get());
    const page = await this.#rest.get<NotificationsPage>("/notifications", { limit: PAGE, cursor });
    this.#cursor = page.next_cursor ?? undefined;
    this.more.set(this.#cursor !== undefined);
    if (!next) {
      // What came while this was under way, and is too new for the page, is not in its number either.
      const listed = identities(page.items);
      const since = this.items.get().filter(({ notification_id: id }) => !before.has(id) && !listed.has(id));
      this.items.set(since);
      this.unread.set(page.unread + since.filter((item) => !item.read).length);
    }
    this.#add(page.items);
  }

  async markRead(ids: readonly string[]): Promise<void> {
    const wanted = new Set(ids);
    const fresh = this.items.get().filter((item) => wanted.has(item.notification_id) && !item.read);
    if (fresh.length === 0) return;
    this.#mark((item) => wanted.has(item.notification_id));
    this.unread.update((n) => Math.max(0, n - fresh.length));
    const done = await this.#rest.post<ReadDone>("/notifications/read", { notification_ids: fresh.map((item) => item.notification_id) });
    this.unread.set(done.unread);
  }

  /** Everything that is shown, and what is older; what comes meanwhile stays unread. */
  async markAllRead(): Promise<void> {
    const until = this.items.get().reduce((latest, { at }) => (at > latest ? at : latest), "");
    const done = await this.#rest.post<ReadDone>("/notifications/read-all", until ? { until } : {});
    this.#mark(({ at }) => at <= until);
    this.unread.set(done.unread);
  }

  #mark(which: (item: Notification) => boolean): void {
    this.items.update((all) => all.map((item) => (which(item) && !item.read ? { ...item, read: true } : item)));
  }

  #add(news: readonly Notification[]): void {
    const known = identities(this.items.get());
    const added = news.filter((item) => !known.has(item.notification_id));
    if (added.length > 0) this.items.update((all) => [...all, ...added].sort(inOrder).slice(0, MAX_KEPT));
  }
}

const identities = (items: readonly Notification[]): Set<string> => new Set(items.map((item) => item.notification_id));

const inOrder = (a: Notification, b: Notification): number => Number(a.read) - Number(b.read) || b.at.localeCompare(a.at);
