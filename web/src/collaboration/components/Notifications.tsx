import { useEffect, useState } from "react";
import { Icon } from "../../ui/Icon";
import { count, instant } from "../../ui/format";
import { useSignal } from "../../ui/useSignal";
import { RestError, type Notification, type NotificationBook } from "../core";
import { Dialog } from "./Dialog";
import { notificationText } from "./notificationText";

interface NotificationsProps {
  book: NotificationBook;
  /** What people call a record. */
  record: (record_id: string) => string;
  /** Go to where it happened. */
  onOpen: (item: Notification) => void;
}

/** How many notifications are unread; opens the list of them, those of one's absence too. */
export function NewsBell(props: NotificationsProps) {
  const unread = useSignal(props.book.unread);
  const [open, setOpen] = useState(false);
  const label = unread > 0 ? `Notifications, ${count(unread)} unread` : "Notifications";
  return (
    <>
      <button type="button" className="icon-button bell" aria-label={label} title={label} aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Icon name="bell" />
        {unread > 0 && <span className="counter" aria-hidden="true">{unread > 99 ? "99+" : unread}</span>}
      </button>
      {open && (
        <Dialog title="Notifications" onClose={() => setOpen(false)}>
          <List {...props} onOpen={(item) => {
            setOpen(false);
            props.onOpen(item);
          }} />
        </Dialog>
      )}
    </>
  );
}

function List({ book, record, onOpen }: NotificationsProps) {
  const items = useSignal(book.items);
  const unread = useSignal(book.unread);
  const more = useSignal(book.more);
  const [state, setState] = useState<{ busy: boolean; error?: string }>({ busy: true });
  const attempt = async (work: () => Promise<void>) => {
    setState({ busy: true });
    try {
      await work();
      setState({ busy: false });
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      setState({ busy: false, error: error.message });
    }
  };
  useEffect(() => void attempt(() => book.load()), [book]);
  return (
    <>
      {state.error && (
        <p className="notice bad" role="alert">
          {state.error} <button type="button" className="button" onClick={() => void attempt(() => book.load())}>Try again</button>
        </p>
      )}
      <p className="actions" role="status">
        <span className="muted small">{unread === 0 ? "All read." : `${count(unread)} unread.`}</span>
        {unread > 0 && <button type="button" className="button" disabled={state.busy} onClick={() => void attempt(() => book.markAllRead())}>Mark all as read</button>}
      </p>
      {items.length === 0 && <p className="empty">{state.busy ? "Loading…" : "Nothing yet. Mentions, conflicts, decisions, signatures and what is given to you appear here, and wait for you while you are away."}</p>}
      <ul className="plain" aria-label="Notifications">
        {items.map((item) => (
          <li key={item.notification_id} className={`news${item.read ? "" : " unread"}`}>
            <button type="button" className="news-open" onClick={() => {
              void book.markRead([item.notification_id]).catch(() => undefined); // it stays unread then, and can be marked again
              onOpen(item);
            }}>
              <span>{!item.read && <span className="visually-hidden">Unread: </span>}{notificationText(item, record)}</span>
              <span className="muted small">{item.session_name || item.session_id} · <time dateTime={item.at}>{instant(item.at)}</time></span>
            </button>
            {!item.read && (
              <button type="button" className="icon-button" title="Mark as read" aria-label={`Mark as read: ${notificationText(item, record)}`}
                onClick={() => void attempt(() => book.markRead([item.notification_id]))}><Icon name="check" /></button>
            )}
          </li>
        ))}
      </ul>
      {more && items.length > 0 && <button type="button" className="button" disabled={state.busy} onClick={() => void attempt(() => book.load(true))}>Older ones</button>}
    </>
  );
}
