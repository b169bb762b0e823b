import { useEffect } from "react";
import { Icon } from "../../ui/Icon";
import { fieldName, value } from "../../ui/format";
import type { Notification, Overlap } from "../core";
import { useOthers, useSignal } from "../hooks";
import { useSession } from "../provider";
import { notificationText } from "./notificationText";
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

/** Tells the person what became of their edits, who comes and goes, and what concerns them. `open`: go where it happened. */
export function useNews(open: (item: Notification) => void): void {
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
  useEffect(() => session.onCommit(({ message_type, user_id, data }) => {
    if (user_id === session.user_id) return;
    const record = session.records.get(data?.record_id)?.external_id ?? data?.record_id;
    if (message_type === "conflict.resolved") {
      workspace.announce(`${fieldName(data.field_name)} of ${record} was decided: ${value(data.field_name, data.new_value) || "empty"}`);
    } else if (SIGN_OFF[message_type]) workspace.announce(`${data.name} ${SIGN_OFF[message_type]}`);
  }), [session, workspace]);
  useEffect(() => session.notifications.onNew((item) => {
    const text = notificationText(item, (id) => session.records.get(id)?.external_id ?? id);
    workspace.toast("info", text, { label: "Show", run: () => {
      void session.notifications.markRead([item.notification_id]).catch(() => undefined);
      open(item);
    } });
  }), [session, workspace, open]);
  useEffect(() => session.onOverlap((overlap) => {
    const text = overlapText(overlap, session.user_id, session.records.get(overlap.record_id)?.external_id ?? overlap.record_id);
    if (text) workspace.warn(`${overlap.record_id} ${overlap.field_name}`, text);
  }), [session, workspace]);
}

const SIGN_OFF: Record<string, string> = {
  "reconciliation.submitted": "submitted this for review",
  "reconciliation.reviewed": "signed; another signature is needed",
  "reconciliation.approved": "signed this off",
  "reconciliation.rejected": "sent this back",
  "reconciliation.reopened": "opened this again",
};

/** The server's warning before a clash, in words; undefined where people only look at the same field. */
export function overlapText({ people, cause, field_name, record_id: _, ...overlap }: Overlap, me: string, record: string): string | undefined {
  const others = people.filter((person) => person.user_id !== me);
  if (others.length === 0 || people.every(({ doing }) => doing === "looking")) return undefined;
  const who = others.map(({ name }) => name).join(" and ");
  const field = `${fieldName(field_name)} of ${record}`;
  const [other] = others;
  switch (cause) {
    case "unsent_change": return other!.doing === "unsent" ? `${who} has a change of ${field} that is not sent yet: two different values will have to be decided between.` : `${who} begins on ${field}, where you have a change that is not sent yet.`;
    case "unreviewed_change": return other!.doing === "changed" ? `${who} has changed ${field}, and nobody has reviewed that yet${overlap.version ? ` (change ${overlap.version})` : ""}.` : `${who} begins on ${field}, which you have changed.`;
    case "open_conflict": return `People disagree on ${field} already: what is set now waits with the rest for a decision (${who}).`;
    default: return other!.doing === "looking" ? `${who} is at ${field} too.` : `${who} is editing this field too (${field}): two different values will have to be decided between.`;
  }
}
