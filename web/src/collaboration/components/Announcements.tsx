import { useEffect, useRef, useState } from "react";
import { Icon } from "../../ui/Icon";
import { fieldName, time, value } from "../../ui/format";
import { useOthers, useSignal } from "../hooks";
import { useSession } from "../provider";
import { Dialog } from "./Dialog";
import { VERDICTS } from "./SyncBadge";
import { useWorkspace } from "./workspace";

export function Toasts() {
  const workspace = useWorkspace();
  const toasts = useSignal(workspace.toasts);
  return (
    <div className="toasts" role="region" aria-label="Notifications" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} className={`toast ${toast.tone}`}>
          <p>{toast.text}</p>
          {toast.action && (
            <button type="button" className="button" onClick={() => {
              toast.action!.run();
              workspace.dismiss(toast.id);
            }}>{toast.action.label}</button>
          )}
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => workspace.dismiss(toast.id)}><Icon name="close" /></button>
        </div>
      ))}
    </div>
  );
}

export function Announcer() {
  const text = useSignal(useWorkspace().announcement);
  return <p className="visually-hidden" role="status" aria-live="polite">{text}</p>;
}

/** Tells the person what became of their edits, who comes and goes, and who mentions them. */
export function useNews(): void {
  const session = useSession();
  const workspace = useWorkspace();
  const others = useOthers();
  const names = others.map((member) => member.name).join(", ");
  useEffect(() => {
    workspace.announce(names ? `Here with you: ${names}` : "Only you are here");
  }, [names, workspace]);
  useEffect(() => session.edits.onVerdict((verdict) => {
    const { edit, kind, error } = verdict;
    const what = `${session.records.get(edit.record_id)?.external_id ?? edit.record_id}, ${fieldName(edit.field_name)}`;
    if (error) {
      workspace.toast("bad", `${what}: ${VERDICTS[kind]}. ${error.message}. It holds ${value(edit.field_name, edit.old_value) || "nothing"} as before.`.replace("..", "."), {
        label: "Try again", run: () => session.edits.retry(verdict),
      });
    } else if (kind === "conflict") {
      workspace.toast("info", `${what}: somebody else changed it too. Your value waits in Conflicts for a decision.`);
    } else if (kind === "merged") {
      workspace.toast("info", `${what}: merged with a newer change: “${value(edit.field_name, verdict.value)}”.`);
    } else if (edit.offline) workspace.toast("good", `${what}: saved (made offline).`);
  }), [session, workspace]);
  const asked = useRef(new Set<string>());
  useEffect(() => session.onCommit(({ message_type, user_id, data }) => {
    if (message_type.startsWith("conflict.") && message_type !== "conflict.resolved") {
      if (user_id === session.user_id || data.current?.user_id === session.user_id) asked.current.add(data.conflict_id);
    }
    if (user_id === session.user_id) return;
    const record = session.records.get(data?.record_id)?.external_id ?? data?.record_id;
    if (message_type === "comment.added" && data.mentions?.includes(session.user_id)) {
      workspace.inform(`${data.name} mentions you: “${data.text}”`, data.record_id ?? undefined);
    } else if (message_type === "lock.taken_over" && data.previous.user_id === session.user_id) {
      workspace.inform(`${data.holder.name} took over the record that you had locked: “${data.reason}”`, data.record_id);
    } else if (message_type === "record.assigned" && data.assignee === session.user_id) {
      workspace.inform(`${data.record_ids.length} records were given to you.`, data.record_ids[0]);
    } else if (message_type === "conflict.resolved") {
      const text = `${fieldName(data.field_name)} of ${record} was decided: ${value(data.field_name, data.new_value) || "empty"}`;
      if (asked.current.delete(data.conflict_id)) workspace.inform(text, data.record_id);
      else workspace.announce(text);
    } else if (SIGN_OFF[message_type]) workspace.inform(`${data.name} ${SIGN_OFF[message_type]}${data.reason ? `: “${data.reason}”` : "."}`);
  }), [session, workspace]);
}

const SIGN_OFF: Record<string, string> = {
  "reconciliation.submitted": "submitted this for review",
  "reconciliation.reviewed": "signed; another signature is needed",
  "reconciliation.approved": "signed this off",
  "reconciliation.rejected": "sent this back",
  "reconciliation.reopened": "opened this again",
};

/** What concerned the person since they came. */
export function NewsBell() {
  const workspace = useWorkspace();
  const news = useSignal(workspace.news);
  const unread = useSignal(workspace.unread);
  const [open, setOpen] = useState(false);
  const label = unread > 0 ? `Notifications, ${unread} new` : "Notifications";
  return (
    <>
      <button type="button" className="icon-button bell" aria-label={label} title={label} aria-haspopup="dialog" onClick={() => {
        workspace.unread.set(0);
        setOpen(true);
      }}>
        <Icon name="bell" />
        {unread > 0 && <span className="counter" aria-hidden="true">{unread}</span>}
      </button>
      {open && (
        <Dialog title="Notifications" onClose={() => setOpen(false)}>
          {news.length === 0 && <p className="empty">Nothing yet. Mentions, decisions about your edits, and the sign-off appear here.</p>}
          <ul className="plain">
            {news.map((item) => (
              <li key={item.id} className="verdict">
                <span>{item.text}<br /><span className="muted small">{time(item.at)}</span></span>
                {item.record_id && (
                  <button type="button" className="button" onClick={() => {
                    setOpen(false);
                    workspace.jump.set({ record_id: item.record_id! });
                  }}>Show</button>
                )}
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </>
  );
}
