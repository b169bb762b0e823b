import { useState } from "react";
import { Icon } from "../../ui/Icon";
import { capital, count, duration, money } from "../../ui/format";
import { RestError } from "../core";
import { useReconciliation, useSignal } from "../hooks";
import { useSession } from "../provider";
import { mayEdit } from "./RecordEditor";
import { useDifferences } from "./totals";
import { useWorkspace } from "./workspace";

/** The matching run, for everybody: how far it is, how fast, how long still; and what remains to be explained. */
export function ReconciliationStatus() {
  return (
    <div className="reconciliation">
      <Run />
      <Differences />
    </div>
  );
}

const number = (content: unknown): number | undefined => (typeof content === "number" ? content : undefined);

function Run() {
  const session = useSession();
  const workspace = useWorkspace();
  const run = useReconciliation();
  const role = useSignal(session.role);
  const [busy, setBusy] = useState(false);
  const { status } = run;
  const counts = (run.counts ?? run) as Record<string, unknown>;
  const total = number(counts.total);
  const processed = number(counts.processed);
  const left = number(run.seconds_left ?? run.time_left ?? run.eta);
  const rate = number(run.rate);
  const control = async (action: "start" | "pause" | "resume") => {
    setBusy(true);
    try {
      await session.rest.post(`/sessions/${encodeURIComponent(session.session_id)}/reconciliation/${action}`, {});
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      workspace.toast("bad", error.message);
    } finally {
      setBusy(false);
    }
  };
  const may = mayEdit(role);
  const active = status === "running" || status === "queued";
  return (
    <div className="run" role="group" aria-label="Matching run">
      <span className="run-state"><b>Run</b> {capital(status.replaceAll("_", " "))}</span>
      {total !== undefined && processed !== undefined && total > 0 && status !== "not_started" && (
        <>
          <progress max={total} value={processed} aria-label="Matching run" />
          <span className="small figures">
            {count(processed)} of {count(total)}
            {["matched", "suggested", "exceptions"].map((name) => (number(counts[name]) === undefined ? "" : ` · ${count(number(counts[name])!)} ${name}`))}
            {active && rate !== undefined ? ` · ${count(Math.round(rate))}/s` : ""}
            {active && left !== undefined ? ` · ${duration(left)} left` : ""}
          </span>
        </>
      )}
      {may && (status === "not_started" || status === "completed" || status === "failed" || status === "cancelled") && (
        <button type="button" className="button" disabled={busy} onClick={() => void control("start")}><Icon name="play" /> {status === "not_started" ? "Start matching" : "Match again"}</button>
      )}
      {may && active && <button type="button" className="button" disabled={busy} onClick={() => void control("pause")}><Icon name="pause" /> Pause for everyone</button>}
      {may && status === "paused" && <button type="button" className="button" disabled={busy} onClick={() => void control("resume")}><Icon name="play" /> Resume for everyone</button>}
      {typeof run.error === "string" && <span className="text-bad small">{run.error}</span>}
    </div>
  );
}

function Differences() {
  const differences = useDifferences();
  return (
    <dl className="differences" aria-label="Difference to explain, by currency">
      {differences.map(({ currency, ledger, statement, difference, open }) => (
        <div key={currency} title={`Ledger ${money(ledger)}, statement ${money(statement)}, ${count(open)} records open`}>
          <dt>{currency} to explain</dt>
          <dd className={/^-?0*(\.0*)?$/.test(difference) ? "figures good" : "figures"}>{money(difference)}</dd>
        </div>
      ))}
    </dl>
  );
}
