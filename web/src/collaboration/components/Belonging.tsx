import { percent, value } from "../../ui/format";
import { shown, type MatchEntry, type RecordView } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { useAction } from "./actions";
import { mayEdit } from "./RecordEditor";
import { ReasonButton } from "./ReasonForm";
import { useWorkspace } from "./workspace";

/** What a record is matched with, and what can be done about it: confirm, reject, unmatch, set aside. */
export function Belonging({ record }: { record: RecordView }) {
  const session = useSession();
  useSignal(session.matches.matches);
  const role = useSignal(session.role);
  const match = session.matches.of(record.record_id);
  const act = useAction();
  const status = String(shown(record, "status") ?? "unmatched");
  // Matches are loaded after the records.
  const inMatch = status === "matched" || status === "suggested";
  const may = mayEdit(role);
  const set = (next: string) => (reason: string) =>
    act("record_status", { record_ids: [record.record_id], status: next, ...(reason ? { reason } : {}) }, `Now ${next === "exception" ? "an exception" : next}.`);
  return (
    <section className="belonging" aria-label="Match">
      <h3>Match</h3>
      {match ? <MatchCard match={match} />
        : inMatch ? <MatchesMissing />
        : <p className="muted small">{status === "unmatched" ? "In no match yet." : `Set aside: ${status}.`}</p>}
      {may && !match && !inMatch && (
        <div className="actions">
          {status === "unmatched" ? (
            <>
              <ReasonButton label="Exception…" question="Why is it an exception?" onGive={set("exception")} />
              <ReasonButton label="Exclude…" question="Why does it not count?" onGive={set("excluded")} />
            </>
          ) : (
            <button type="button" className="button" onClick={() => void set("unmatched")("")}>Take back</button>
          )}
        </div>
      )}
    </section>
  );
}

/** In place of matches that are not there: that they are being loaded, or why they could not be. */
export function MatchesMissing() {
  const session = useSession();
  const { error } = useSignal(session.matches.loading);
  if (!error) return <p className="muted small">Loading the matches…</p>;
  if (error.retryable) return <p className="notice" role="alert">The matches could not be loaded yet, and are asked for again: {error.message}</p>;
  return (
    <p className="notice bad" role="alert">
      The matches could not be loaded: {error.message} <button type="button" className="button" onClick={() => void session.reload()}>Load again</button>
    </p>
  );
}

/** Nothing that waits for a person's judgement is certain. */
const likely = (score: number): string => (score > 0.99 ? `over ${percent(0.99)}` : percent(score));

/** A match with its records and reasons, and what may be done with it. */
export function MatchCard({ match }: { match: MatchEntry }) {
  const session = useSession();
  const workspace = useWorkspace();
  const role = useSignal(session.role);
  const act = useAction();
  const body = { match_ids: [match.match_id] };
  return (
    <article className="match-card">
      <p className="small">
        <b>{match.status === "confirmed" ? "Matched" : "Suggested"}</b>
        {match.score == null ? " by hand" : `, ${likely(match.score)} likely`}
        {match.reasons && match.reasons.length > 0 ? `: ${match.reasons.join(", ")}` : ""}
        {match.reason ? ` “${match.reason}”` : ""}
      </p>
      <ul className="plain">
        {[...match.ledger, ...match.statement].map((id) => {
          const other = session.records.get(id);
          return (
            <li key={id} className="match-line">
              <button type="button" className="link" onClick={() => workspace.jump.set({ record_id: id })}>{other?.external_id ?? id}</button>
              <span className="small text-cut">{other ? value("description", shown(other, "description")) : ""}</span>
              <b className="figures small">{other ? value("amount", shown(other, "amount")) : ""}</b>
            </li>
          );
        })}
      </ul>
      {mayEdit(role) && (
        <div className="actions">
          {match.status === "suggested" ? (
            <>
              <button type="button" className="button primary" onClick={() => void act("match_confirm", body, "Confirmed.")}>Confirm</button>
              <button type="button" className="button" onClick={() => void act("match_reject", body, "Rejected: it will not be suggested again.")}>Reject</button>
            </>
          ) : (
            <ReasonButton label="Unmatch…" question="Why?" required={false} onGive={(reason) => act("match_remove", { ...body, ...(reason ? { reason } : {}) }, "Unmatched: its records are open again.")} />
          )}
        </div>
      )}
    </article>
  );
}
