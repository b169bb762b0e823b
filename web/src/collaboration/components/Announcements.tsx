import { useEffect } from "react";
import { Icon } from "../../ui/Icon";
import { fieldName, value } from "../../ui/format";
import { useOthers, useSignal } from "../hooks";
import { useSession } from "../provider";
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
  useEffect(() => session.onCommit(({ message_type, user_id, data }) => {
    if (user_id === session.user_id) return;
    if (message_type === "comment.added" && data.mentions?.includes(session.user_id)) {
      workspace.toast("info", `${data.name} mentions you: “${data.text}”`, data.record_id ? { label: "Show", run: () => workspace.jump.set({ record_id: data.record_id }) } : undefined);
    } else if (message_type === "lock.taken_over" && data.previous.user_id === session.user_id) {
      workspace.toast("bad", `${data.holder.name} took over the record that you had locked: “${data.reason}”`);
    } else if (message_type === "conflict.resolved") {
      const record = session.records.get(data.record_id)?.external_id ?? data.record_id;
      workspace.announce(`Conflict decided: ${fieldName(data.field_name)} of ${record}`);
    }
  }), [session, workspace]);
}
