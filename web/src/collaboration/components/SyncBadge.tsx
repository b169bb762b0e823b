import { useEffect, useState } from "react";
import { count, fieldName, time, value } from "../../ui/format";
import type { VerdictKind } from "../core";
import { useSignal, useSyncStatus } from "../hooks";
import { useSession } from "../provider";
import { Dialog } from "./Dialog";
import { useWorkspace } from "./workspace";

export const VERDICTS: Record<VerdictKind, string> = {
  applied: "Saved", merged: "Merged with a newer value", unchanged: "Already so", conflict: "Kept as a candidate of a conflict",
  locked: "Not saved: the record is locked", closed: "Not saved: the session takes no changes", forbidden: "Not saved: your role does not permit it",
  refused: "Not saved",
};

/** Whether what is shown is what there is, in words; opens what waits and what became of what was sent. */
export function SyncBadge() {
  const { connection, queued, retry } = useSyncStatus();
  const [open, setOpen] = useState(false);
  const workspace = useWorkspace();
  const { state } = connection;
  const waiting = queued.length;
  const text =
    state === "online" ? (waiting > 0 ? `Saving ${count(waiting)}` : "Online")
    : state === "offline" ? `Offline${waiting > 0 ? `, ${count(waiting)} queued` : ""}`
    : state === "refused" ? "Not admitted"
    : state === "reconnecting" ? `Reconnecting${waiting > 0 ? `, ${count(waiting)} queued` : ""}`
    : "Connecting";
  useEffect(() => workspace.announce(text), [workspace, text]);
  return (
    <>
      <button type="button" className={`sync sync-${state}`} onClick={() => setOpen(true)} aria-haspopup="dialog">
        {text}
      </button>
      {open && (
        <Dialog title="Your changes" onClose={() => setOpen(false)}>
          {connection.error && (
            <p className="notice bad">
              {connection.error.message} <button type="button" className="button" onClick={retry}>Try again</button>
            </p>
          )}
          <Queue />
        </Dialog>
      )}
    </>
  );
}

function Queue() {
  const session = useSession();
  const queued = useSignal(session.edits.queued);
  const verdicts = useSignal(session.edits.verdicts);
  const name = (id: string) => session.records.get(id)?.external_id ?? id;
  return (
    <>
      <h3>Waiting to be sent</h3>
      {queued.length === 0 && <p className="muted">Nothing waits: the server has all you did.</p>}
      <ul className="plain">
        {queued.map((edit) => (
          <li key={edit.edit_id}>
            <b>{name(edit.record_id)}</b> {fieldName(edit.field_name)}: {value(edit.field_name, edit.old_value)} → {value(edit.field_name, edit.new_value)}
          </li>
        ))}
      </ul>
      <h3>What became of the last changes</h3>
      {verdicts.length === 0 && <p className="muted">You have not changed anything yet.</p>}
      <ul className="plain">
        {[...verdicts].reverse().slice(0, 50).map((verdict) => (
          <li key={verdict.edit.edit_id} className="verdict">
            <span>
              <b>{name(verdict.edit.record_id)}</b> {fieldName(verdict.edit.field_name)} = {value(verdict.edit.field_name, verdict.edit.new_value)}
              <br />
              <span className={verdict.error ? "text-bad" : "muted"}>
                {VERDICTS[verdict.kind]}
                {verdict.error ? `. ${verdict.error.message}` : ""} · {time(new Date(verdict.at).toISOString())}
                {verdict.edit.offline ? " · made offline" : ""}
              </span>
            </span>
            {verdict.error && (
              <button type="button" className="button" onClick={() => session.edits.retry(verdict)}>Try again</button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
