import { useEffect, useState } from "react";
import { count, fieldName, instant, value } from "../../ui/format";
import { fieldsSet, type Commit, type MatchEntry, type Page, type RecordRow, type RecordsPage } from "../core";
import { useHistory, useSignal } from "../hooks";
import { useSession } from "../provider";
import { useName } from "./marks";
import { mayEdit } from "./RecordEditor";
import { useWorkspace } from "./workspace";

interface FieldChange { record_id: string; field_name: string; old_value: never; new_value: never }

/** One commit in words. */
export function Told({ commit, record }: { commit: Commit; record: (id: string) => string }) {
  const { message_type, data } = commit;
  const about = data?.record_id ? <b>{record(data.record_id)}</b> : null;
  if (message_type.startsWith("match.")) return <Matched commit={commit} record={record} />;
  const sets = message_type === "record.status_changed" || message_type === "record.assigned" ? [] : (fieldsSet(commit) as unknown as FieldChange[]);
  if (message_type === "conflict.resolved") {
    return <>decided {about} {fieldName(data.field_name)}: <Change {...(data as FieldChange)} />{data.reason ? ` (“${data.reason}”)` : ""}</>;
  }
  if (sets.length > 0) {
    return (
      <>
        {data.undo_of ? "took back: " : data.redo_of ? "did again: " : message_type === "edit.merged" ? "merged " : "set "}
        {sets.slice(0, 3).map((set) => <span key={`${set.record_id} ${set.field_name}`}><b>{record(set.record_id)}</b> {fieldName(set.field_name)}: <Change {...set} />{" "}</span>)}
        {sets.length > 3 ? `and ${count(sets.length - 3)} more` : ""}
      </>
    );
  }
  switch (message_type) {
    case "conflict.detected": case "conflict.extended":
      return <>asked for another {fieldName(data.field_name)} of {about}</>;
    case "lock.acquired": return <>locked {about}</>;
    case "lock.renewed": return <>renewed the lock of {about}</>;
    case "lock.released": return <>unlocked {about}</>;
    case "lock.expired": return <>the lock of {about} ended</>;
    case "lock.taken_over": return <>took over {about} from {data.previous.name} (“{data.reason}”)</>;
    case "comment.added": return <>said{about ? <> on {about}</> : null}: “{data.text}”</>;
    case "comment.resolved": return <>settled a comment{about ? <> on {about}</> : null}</>;
    case "record.imported": return <>imported {count(data.counts.new)} records ({data.source})</>;
    case "session.created": return <>created the session</>;
    case "session.name_erased": return <>erased the name of {data.user_id}</>;
    case "session.updated": return data.change === "participant_added" ? <>came for the first time, as {data.role}</> : <>is {data.role} now</>;
    case "record.status_changed": return <>set {several(data.record_ids, record)} to {data.status}{data.reason ? ` (“${data.reason}”)` : ""}</>;
    case "record.assigned": return <>gave {several(data.record_ids, record)} to {data.assignee ?? "nobody"}</>;
    case "reconciliation.started": return <>started a matching run</>;
    case "reconciliation.progress": return <>went on with the run: {count(data.processed)} of {count(data.total)}</>;
    case "reconciliation.paused": return <>paused the run</>;
    case "reconciliation.resumed": return <>resumed the run</>;
    case "reconciliation.completed": return <>completed the run: {count(data.matched)} records matched, {count(data.suggested)} suggested</>;
    case "reconciliation.cancelled": return <>cancelled the run{data.reason ? ` (“${data.reason}”)` : ""}</>;
    case "reconciliation.failed": return <>could not complete the run: {data.message}</>;
    case "reconciliation.submitted": return <>submitted for review{data.comment ? `: “${data.comment}”` : ""}</>;
    case "reconciliation.reviewed": return <>signed; another signature is needed</>;
    case "reconciliation.approved": return <>signed off{data.comment ? `: “${data.comment}”` : ""}</>;
    case "reconciliation.rejected": return <>sent it back: “{data.reason}”</>;
    case "reconciliation.reopened": return <>opened it again: “{data.reason}”</>;
    case "reconciliation.rules_changed": return <>changed the rules of matching</>;
    case "reconciliation.configured": return <>changed how the sign-off goes</>;
    default: return <>{message_type.replace(".", " ").replaceAll("_", " ")}{about ? <> {about}</> : null}</>;
  }
}

const several = (ids: readonly string[], record: (id: string) => string): string =>
  ids.length > 2 ? `${count(ids.length)} records` : ids.map(record).join(" and ");

const VERBS: Record<string, string> = {
  suggested: "found", confirmed: "confirmed", rejected: "rejected", created: "matched", removed: "unmatched", split: "split",
};

function Matched({ commit: { message_type, data }, record }: { commit: Commit; record: (id: string) => string }) {
  const matches: MatchEntry[] = data.matches ?? [];
  const verb = VERBS[message_type.split(".")[1] ?? ""] ?? "changed";
  const [first] = matches;
  if (matches.length !== 1 || !first) return <>{verb} {count(matches.length)} matches</>;
  return <>{verb} <b>{several(first.ledger, record)}</b> with <b>{several(first.statement, record)}</b>{data.reason ? ` (“${data.reason}”)` : ""}</>;
}

function Change({ field_name, old_value, new_value }: FieldChange) {
  return <><s className="muted">{value(field_name, old_value) || "empty"}</s> → {value(field_name, new_value) || "empty"}</>;
}

/** What happened to one record, newest first; any earlier value can be set again, as a new edit. */
export function RecordHistory({ recordId }: { recordId: string }) {
  const { commits, loading, error } = useHistory({ record_id: recordId });
  const session = useSession();
  const role = useSignal(session.role);
  const restore = (commit: Commit) => {
    for (const set of fieldsSet(commit)) {
      if (set.record_id === recordId) session.edits.edit(recordId, set.field_name, set.new_value, { reason: `Restored from change ${commit.seq}` });
    }
  };
  return <Timeline {...{ commits, loading, error }} {...(mayEdit(role) ? { onRestore: restore } : {})} />;
}

interface TimelineProps {
  commits: readonly Commit[];
  loading: boolean;
  error: { message: string } | undefined;
  onRestore?: (commit: Commit) => void;
  onTravel?: (seq: number) => void;
}

function Timeline({ commits, loading, error, onRestore, onTravel }: TimelineProps) {
  const session = useSession();
  const name = useName();
  const record = (id: string) => session.records.get(id)?.external_id ?? id;
  if (error) return <p className="notice bad" role="alert">The history could not be loaded: {error.message} Open it again to retry.</p>;
  if (commits.length === 0) return <p className="empty">{loading ? "Loading…" : "Nothing has happened here yet."}</p>;
  return (
    <ol className="timeline" aria-label="Newest first">
      {commits.map((commit) => (
        <li key={commit.seq}>
          <p><b>{name(commit.user_id)}</b> <Told {...{ commit, record }} /></p>
          <p className="muted small">
            #{commit.seq} · <time dateTime={commit.timestamp}>{instant(commit.timestamp)}</time>
            {onRestore && /^edit|^conflict.resolved/.test(commit.message_type) && fieldsSet(commit).length > 0 && (
              <> <button type="button" className="link" onClick={() => onRestore(commit)}>Restore this value</button></>
            )}
            {onTravel && <> <button type="button" className="link" onClick={() => onTravel(commit.seq)}>Show the session as it stood</button></>}
          </p>
        </li>
      ))}
    </ol>
  );
}

/** The session's history, and the session as it stood at any of its commits. */
export function HistoryDrawer() {
  const { commits, loading, error } = useHistory();
  const [at, setAt] = useState<number>();
  return (
    <>
      {at !== undefined && <Past at={at} newest={commits[0]?.seq ?? at} onTravel={setAt} onBack={() => setAt(undefined)} />}
      <Timeline {...{ commits, loading, error }} onTravel={setAt} />
    </>
  );
}

/** Milliseconds for which a slider rests before what it points at is loaded. */
const SETTLED = 200;

type Past = Page<RecordRow> & { at: number; timestamp: string; session: { open_conflicts: number; locks: unknown[] } | null };

function Past({ at, newest, onTravel, onBack }: { at: number; newest: number; onTravel: (seq: number) => void; onBack: () => void }) {
  const session = useSession();
  const workspace = useWorkspace();
  const [{ past, error }, setShown] = useState<{ past?: Past; error?: string }>({});
  useEffect(() => {
    setShown({});
    const ended = new AbortController();
    // Each is worked out from the log: not every step of a slider that is drawn is asked for.
    const asking = setTimeout(() => {
      const path = `/sessions/${encodeURIComponent(session.session_id)}/state`;
      session.rest.get<Past & RecordsPage>(path, { at, limit: 1_000 }, ended.signal).then(
        (past) => setShown({ past }),
        (error: Error) => !ended.signal.aborted && setShown({ error: error.message }),
      );
    }, SETTLED);
    return () => {
      clearTimeout(asking);
      ended.abort();
    };
  }, [session, at]);
  const changed = past?.items.filter((row) => row.seq > 0).sort((a, b) => b.seq - a.seq) ?? [];
  return (
    <section className="past" aria-label="The session as it stood">
      <p className="notice past-banner"><b>The past, read only.</b> As of change #{at}{past ? `, ${instant(past.timestamp)}` : ""}.</p>
      <label className="stack">Change
        <input type="range" min={1} max={newest} value={at} onChange={(event) => onTravel(Number(event.target.value))} />
      </label>
      {error && <p className="notice bad" role="alert">{error}</p>}
      {past && (
        <>
          <p className="small">{past.session ? `Open conflicts: ${count(past.session.open_conflicts)}. Locks: ${count(past.session.locks.length)}. ` : ""}Records changed until then (of the first 1,000):</p>
          {changed.length === 0 && <p className="empty">None yet.</p>}
          <ul className="plain">
            {changed.slice(0, 50).map((row) => (
              <li key={row.record_id}>
                <button type="button" className="link" onClick={() => workspace.jump.set({ record_id: row.record_id })}>{row.external_id}</button>{" "}
                {Object.keys(row.versions).map((field) => <span key={field}>{fieldName(field)}: {value(field, row.values[field])}{" "}</span>)}
              </li>
            ))}
          </ul>
        </>
      )}
      <button type="button" className="button primary" onClick={onBack}>Back to now</button>
    </section>
  );
}
