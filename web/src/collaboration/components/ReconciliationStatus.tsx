import { useState } from "react";
import { Icon } from "../../ui/Icon";
import { capital, count, duration, money } from "../../ui/format";
import { useReconciliation, useSignal } from "../hooks";
import { useSession } from "../provider";
import { useAction } from "./actions";
import { mayEdit } from "./RecordEditor";
import { SignOffBar } from "./SignOffBar";
import { useDifferences } from "./totals";

/** The matching run, for everybody: how far it is, how fast, how long still; and what remains to be explained. */
export function ReconciliationStatus() {
  return (
    <div className="reconciliation" role="group" aria-label="Reconciliation" tabIndex={0}>
      <Run />
      <SignOffBar />
      <Differences />
    </div>
  );
}

function Run() {
  const session = useSession();
  const act = useAction();
  const run = useReconciliation();
  const role = useSignal(session.role);
  const [busy, setBusy] = useState(false);
  const { status, total, processed, rate, seconds_left: left } = run;
  const control = async (action: "start" | "pause" | "resume", done: string) => {
    setBusy(true);
    await act(`reconciliation_${action}`, {}, done);
    setBusy(false);
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
            {(["matched", "suggested", "exceptions"] as const).map((name) => (run[name] === undefined ? "" : ` · ${count(run[name])} ${name}`))}
            {active && rate !== undefined ? ` · ${count(Math.round(rate))}/s` : ""}
            {active && left != null ? ` · ${duration(left)} left` : ""}
          </span>
        </>
      )}
      {may && (status === "not_started" || status === "completed" || status === "failed" || status === "cancelled") && (
        <button type="button" className="button" disabled={busy} onClick={() => void control("start", "The matching run has begun. Go on working beside it.")}><Icon name="play" /> {status === "not_started" ? "Start matching" : "Match again"}</button>
      )}
      {role !== undefined && role !== "auditor" && active && <button type="button" className="button" disabled={busy} onClick={() => void control("pause", "Paused for everyone.")}><Icon name="pause" /> Pause for everyone</button>}
      {may && status === "paused" && <button type="button" className="button" disabled={busy} onClick={() => void control("resume", "The run goes on.")}><Icon name="play" /> Resume for everyone</button>}
      {status === "failed" && run.message !== undefined && <span className="text-bad small">{run.message}</span>}
    </div>
  );
}

function Differences() {
  const session = useSession();
  const told = useSignal(session.standing)?.difference;
  const summed = useDifferences();
  // The server's figure, where it has counted: it knows what every match explains.
  const differences = summed.map((item) => ({ ...item, difference: told?.[item.currency] ?? item.difference }));
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
