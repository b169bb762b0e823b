import { useEffect, useState, type FormEvent } from "react";
import { capital, DATES, fieldName, MONEY, time, value } from "../../ui/format";
import { shown, type RecordView } from "../core";
import { useLock, useRecord, useSignal } from "../hooks";
import { useSession } from "../provider";
import { draftOf, parsed } from "./CellEditor";
import { Belonging } from "./Belonging";
import { Comments } from "./Comments";
import { RecordHistory } from "./HistoryDrawer";
import { READ_ONLY, useFields } from "./rows";
import { StatusBadge, useName } from "./marks";
import { useWorkspace } from "./workspace";

export const mayEdit = (role: string | undefined): boolean => role === "preparer" || role === "admin";
export const mayJudge = (role: string | undefined): boolean => role === "reviewer" || role === "approver" || role === "admin";

/** One record, every field of it, with its comments and its history. While one edits, the record is locked for others. */
export function RecordEditor({ recordId }: { recordId: string }) {
  const { record } = useRecord(recordId);
  const [part, setPart] = useState<"fields" | "comments" | "history">("fields");
  const session = useSession();
  const comments = useSignal(session.comments);
  if (!record) return <p className="empty">This record is not loaded, or is not in this session.</p>;
  const about = [...comments.values()].filter((comment) => comment.record_id === recordId && !comment.resolved).length;
  const parts = [["fields", "Fields"], ["comments", about > 0 ? `Comments (${about})` : "Comments"], ["history", "History"]] as const;
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

/** Fields whose unsent change the others are told of: as many as the server takes. */
const MAX_DRAFTS = 20;

function Fields({ record }: { record: RecordView }) {
  const session = useSession();
  const workspace = useWorkspace();
  const name = useName();
  const role = useSignal(session.role);
  const status = useSignal(session.session)?.status;
  const fields = useFields();
  const [wanted, setWanted] = useState(false);
  const { lock, mine, refusal } = useLock(record.record_id, wanted);
  const [drafts, setDrafts] = useState<Record<string, { text: string; base_version: number }>>({});
  const held = lock !== undefined && !mine;
  const writable = mayEdit(role) && status === "active" && !held;
  useEffect(() => {
    session.presence.say({ activity: wanted ? "editing" : null });
    return () => session.presence.say({ activity: null });
  }, [session, wanted]);
  const dirty = Object.keys(drafts);
  const unsent = dirty.join(" ");
  useEffect(() => {
    const places = unsent.split(" ").filter(Boolean).slice(0, MAX_DRAFTS).map((field_name) => ({ record_id: record.record_id, field_name }));
    session.presence.say({ drafts: places.length > 0 ? places : null });
    return () => session.presence.say({ drafts: null });
  }, [session, record.record_id, unsent]);
  const save = (event: FormEvent) => {
    event.preventDefault();
    for (const [field, { text, base_version }] of Object.entries(drafts)) {
      session.edits.edit(record.record_id, field, parsed(field, text, shown(record, field)), { base_version });
    }
    setDrafts({});
    setWanted(false);
  };
  const cancel = () => {
    setDrafts({});
    setWanted(false);
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
          return (
            <div key={field} className="field">
              <dt><label htmlFor={id}>{fieldName(field)}</label></dt>
              <dd>
                {writable ? (
                  <FieldInput {...{ id, field }} draft={draft?.text ?? draftOf(field, content)} onDraft={(text) => setDrafts((all) => {
                    const { [field]: before, ...rest } = all;
                    if (text === draftOf(field, content)) return rest;
                    return { ...rest, [field]: { text, base_version: before?.base_version ?? record.versions[field] ?? 0 } };
                  })} />
                ) : (
                  <output id={id}>{value(field, content) || "–"}</output>
                )}
                {field in record.conflicts && (
                  <span className="text-bad small">People disagree here: see Conflicts.</span>
                )}
                {draft !== undefined && change && change.at > Date.now() - 60_000 && change.user_id !== session.user_id && (
                  <span className="text-bad small">{name(change.user_id)} has just set this to {value(field, content)}.</span>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      {(dirty.length > 0 || (wanted && writable)) && (
        <div className="actions sticky">
          <button type="submit" className="button primary" disabled={dirty.length === 0}>Save {dirty.length > 1 ? `${dirty.length} fields` : ""}</button>
          <button type="button" className="button" onClick={cancel}>{dirty.length > 0 ? "Discard" : "Done"}</button>
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
