import { useEffect, useState, type FormEvent } from "react";
import { capital, DATES, fieldName, MONEY, time, value } from "../../ui/format";
import { shown, type FieldDrafts, type RecordView } from "../core";
import { useLock, useRecord, useSelected, useSignal } from "../hooks";
import { useSession } from "../provider";
import { draftOf, parsed } from "./CellEditor";
import { Belonging } from "./Belonging";
import { Comments } from "./Comments";
import { RecordHistory } from "./HistoryDrawer";
import { READ_ONLY, useFields } from "./rows";
import { StatusBadge, useName, useUnsaved } from "./marks";
import { useWorkspace } from "./workspace";

export const mayEdit = (role: string | undefined): boolean => role === "preparer" || role === "admin";
export const mayJudge = (role: string | undefined): boolean => role === "reviewer" || role === "approver" || role === "admin";

/** One record, every field of it, with its comments and its history. While one edits, the record is locked for others. */
export function RecordEditor({ recordId }: { recordId: string }) {
  const { record } = useRecord(recordId);
  const [part, setPart] = useState<"fields" | "comments" | "history">("fields");
  const session = useSession();
  const comments = useSignal(session.comments);
  const unsaved = useUnsaved(recordId);
  if (!record) return <p className="empty">This record is not loaded, or is not in this session.</p>;
  const about = [...comments.values()].filter((comment) => comment.record_id === recordId && !comment.resolved).length;
  const parts = [["fields", unsaved ? "Fields (unsaved)" : "Fields"], ["comments", about > 0 ? `Comments (${about})` : "Comments"], ["history", "History"]] as const;
  return (
    <section className="record-editor" aria-label={`Record ${record.external_id}`}>
      <div className="tabs small" role="tablist" aria-label="Parts of the record">
        {parts.map(([key, label]) => (
          <button key={key} type="button" role="tab" aria-selected={part === key} onClick={() => setPart(key)}>{label}</button>
        ))}
      </div>
      {part === "fields" && (
        <>
          <Fields key={recordId} record={record} />
          <Belonging key={`${recordId} belonging`} record={record} />
        </>
      )}
      {part === "comments" && <Comments recordId={recordId} />}
      {part === "history" && <RecordHistory recordId={recordId} />}
    </section>
  );
}

const NONE: FieldDrafts = {};

function Fields({ record }: { record: RecordView }) {
  const session = useSession();
  const workspace = useWorkspace();
  const name = useName();
  const role = useSignal(session.role);
  const status = useSignal(session.session)?.status;
  const fields = useFields();
  const [wanted, setWanted] = useState(false);
  const { lock, mine, refusal } = useLock(record.record_id, wanted);
  const drafts = useSelected(session.drafts.fields.all, (all) => all.get(record.record_id)) ?? NONE;
  const held = lock !== undefined && !mine;
  const writable = mayEdit(role) && status === "active" && !held;
  useEffect(() => {
    session.presence.say({ activity: wanted ? "editing" : null });
    return () => session.presence.say({ activity: null });
  }, [session, wanted]);
  const dirty = Object.keys(drafts);
  const write = (field: string, text: string) => {
    const { [field]: before, ...rest } = drafts;
    const same = text === draftOf(field, shown(record, field));
    const next = same ? rest : { ...rest, [field]: { text, base_version: before?.base_version ?? record.versions[field] ?? 0 } };
    session.drafts.fields.set(record.record_id, Object.keys(next).length > 0 ? next : undefined);
  };
  const end = () => {
    session.drafts.fields.set(record.record_id, undefined);
    setWanted(false);
  };
  const save = (event: FormEvent) => {
    event.preventDefault();
    for (const [field, { text, base_version }] of Object.entries(drafts)) {
      session.edits.edit(record.record_id, field, parsed(field, text, shown(record, field)), { base_version });
    }
    end();
  };
  return (
    <form onSubmit={save} onFocus={(event) => event.target.matches("input, select, textarea") && writable && setWanted(true)}>
      {lock && (
        <p className={`notice ${mine ? "good" : "bad"}`}>
          {mine ? "Locked by you" : `${lock.holder.name} is editing this record`} until {time(lock.expires_at)}.
          {held && mayJudge(role) && <TakeOver recordId={record.record_id} holder={lock.holder.name} />}
        </p>
      )}
      {refusal && <p className="notice bad" role="alert">{refusal.message}</p>}
      {!mayEdit(role) && role && <p className="muted small">As {role} you judge records; preparers edit them.</p>}
      <dl className="fields">
        <dt>Number</dt><dd className="mono">{record.external_id}</dd>
        <dt>Side</dt><dd>{capital(record.source)}</dd>
        <dt>Status</dt><dd><StatusBadge status={String(shown(record, "status") ?? "")} /></dd>
        {fields.filter((field) => !READ_ONLY.has(field) && (field in record.values || mayEdit(role))).map((field) => {
          const id = `field-${field}`;
          const content = shown(record, field);
          const draft = drafts[field];
          const change = record.changes[field];
          const overtaken = draft !== undefined && (record.versions[field] ?? 0) > draft.base_version && change?.user_id !== session.user_id;
          return (
            <div key={field} className="field">
              <dt><label htmlFor={id}>{fieldName(field)}</label></dt>
              <dd>
                {writable ? (
                  <FieldInput {...{ id, field }} draft={draft?.text ?? draftOf(field, content)} onDraft={(text) => write(field, text)} />
                ) : (
                  <>
                    <output id={id}>{value(field, content) || "–"}</output>
                    {draft !== undefined && <span className="small">Yours, unsaved: {draft.text || "empty"}</span>}
                  </>
                )}
                {field in record.conflicts && (
                  <span className="text-bad small">People disagree here: see Conflicts.</span>
                )}
                {overtaken && (
                  <span className="text-bad small">{change ? `${name(change.user_id)} has` : "Somebody has"} set this to {value(field, content) || "empty"} since you began.</span>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      {(dirty.length > 0 || (wanted && writable)) && (
        <div className="actions sticky">
          <button type="submit" className="button primary" disabled={dirty.length === 0 || !writable}>Save {dirty.length > 1 ? `${dirty.length} fields` : ""}</button>
          <button type="button" className="button" onClick={end}>{dirty.length > 0 ? "Discard" : "Done"}</button>
        </div>
      )}
      <p className="visually-hidden" role="status">{mine ? "You hold the lock." : ""}</p>
      {!navigator.onLine && <p className="muted small">Offline: changes wait on this device.</p>}
      <button type="button" className="button quiet" onClick={() => {
        void navigator.clipboard?.writeText(location.href).then(() => workspace.toast("good", "The link to this record is copied."));
      }}>Copy link</button>
    </form>
  );
}

function FieldInput({ id, field, draft, onDraft }: { id: string; field: string; draft: string; onDraft: (draft: string) => void }) {
  if (field === "notes" || field === "description") {
    return <textarea id={id} rows={2} value={draft} maxLength={4_000} onChange={(event) => onDraft(event.target.value)} />;
  }
  return (
    <input id={id} value={draft} type={DATES.has(field) ? "date" : "text"} inputMode={MONEY.has(field) ? "decimal" : "text"}
      autoComplete="off" maxLength={4_000} onChange={(event) => onDraft(event.target.value)} />
  );
}

function TakeOver({ recordId, holder }: { recordId: string; holder: string }) {
  const session = useSession();
  const workspace = useWorkspace();
  const [reason, setReason] = useState<string>();
  if (reason === undefined) {
    return <> <button type="button" className="button" onClick={() => setReason("")}>Take over…</button></>;
  }
  const take = async () => {
    const answer = await session.takeOver(recordId, reason).catch(() => undefined);
    if (answer?.ok) {
      workspace.toast("good", `You hold the lock now. ${holder} has been told.`);
      setReason(undefined);
    } else workspace.toast("bad", answer ? answer.error.message : "There is no connection; try again when you are online.");
  };
  return (
    <span className="stack">
      <label htmlFor="takeover-reason">Why? It goes into the audit trail.</label>
      <input id="takeover-reason" value={reason} maxLength={1_000} onChange={(event) => setReason(event.target.value)} />
      <span className="actions">
        <button type="button" className="button primary" disabled={reason.trim() === ""} onClick={() => void take()}>Take over</button>
        <button type="button" className="button" onClick={() => setReason(undefined)}>Leave it</button>
      </span>
    </span>
  );
}
