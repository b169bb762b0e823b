import { count, percent } from "../../ui/format";
import type { DryRun } from "../core";
import { useSession } from "../provider";
import { useWorkspace } from "./workspace";

/** What a run would do: how much, by which rule, and the first matches of each. */
export function DryRunResult({ result, names }: { result: DryRun; names: ReadonlyMap<string, string> }) {
  const session = useSession();
  const workspace = useWorkspace();
  const rules = Object.entries(result.by_rule);
  const called = (id: string) => names.get(id) ?? id;
  const record = (id: string) => (
    <button key={id} type="button" className="link mono" onClick={() => workspace.jump.set({ record_id: id })}>
      {session.records.get(id)?.external_id ?? id}
    </button>
  );
  return (
    <section aria-label="What a run would do">
      <p className="notice good" role="status">
        {result.matches === 0 ? "A run would find nothing." : `Of ${count(result.records)} open records, ${count(result.records_matched)} would be in ${count(result.matches)} matches.`} Nothing was stored.
      </p>
      {rules.length > 0 && (
        <div className="scroll-x" tabIndex={0} role="group" aria-label="Matches by rule">
          <table className="mapping">
            <thead><tr><th scope="col">Rule</th><th scope="col">Confirmed</th><th scope="col">Suggested</th></tr></thead>
            <tbody>{rules.map(([id, found]) => (
              <tr key={id}><th scope="row">{called(id)}</th><td className="figures">{count(found.confirmed)}</td><td className="figures">{count(found.matches - found.confirmed)}</td></tr>
            ))}</tbody>
          </table>
        </div>
      )}
      {result.examples.length > 0 && <h3>Examples</h3>}
      <ul className="plain">
        {result.examples.map((match) => (
          <li key={[...match.ledger, ...match.statement].join(" ")} className="example">
            <span>{match.ledger.map(record)} <span aria-hidden="true">↔</span><span className="visually-hidden">with</span> {match.statement.map(record)}</span>
            <span className="muted small">
              {called(match.rule_id)} · {match.confirmed ? "confirmed" : "suggested"}{match.score === null ? "" : `, ${match.score > 0.99 ? `over ${percent(0.99)}` : percent(match.score)} likely`}: {match.reasons.join(", ")}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
