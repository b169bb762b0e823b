import { useEffect, useState } from "react";
import { count, duration, percent } from "../../ui/format";
import { RestError, type Analytics as Figures } from "../core";
import { useNowAndThen } from "../hooks";
import { useSession } from "../provider";
import { useName } from "./marks";

/** Milliseconds between two times that the server is asked, while people work. */
const EVERY = 5_000;

/** What the log says of the work: clashes and how they ended, who did what, and when. */
export default function Analytics() {
  const session = useSession();
  const name = useName();
  const [figures, setFigures] = useState<Figures>();
  const [error, setError] = useState<string>();
  // Counted from the log: while much happens, not for each of it.
  const seq = useNowAndThen(session.seq, EVERY);
  useEffect(() => {
    let here = true;
    session.rest.get<Figures>(`/sessions/${encodeURIComponent(session.session_id)}/analytics`).then(
      (answer) => here && (setFigures(answer), setError(undefined)),
      (reason: unknown) => here && reason instanceof RestError && setError(reason.message),
    );
    return () => {
      here = false;
    };
  }, [session, seq]);
  if (error && !figures) return <p className="notice bad" role="alert">The figures could not be loaded: {error} Open this again to retry.</p>;
  if (!figures) return <p className="empty">Counting…</p>;
  const { conflicts, edits, locks, by_user, by_day } = figures;
  const people = Object.entries(by_user).filter(([id]) => id !== "system").map(([id, done]) => [name(id), done.commits] as const);
  const clashes = conflicts.detected + conflicts.automatic;
  return (
    <div className="analytics">
      <dl className="tiles">
        <Tile label="Edits" value={count(edits.total)} />
        <Tile label="Conflict rate" value={edits.total > 0 ? percent(clashes / (edits.total + conflicts.detected)) : "–"} />
        <Tile label="Clashes settled" value={conflicts.share_resolved === null ? "–" : percent(conflicts.share_resolved)} />
        <Tile label="Time to decide (median)" value={duration(conflicts.time_to_resolve.median)} />
        <Tile label="Locks taken" value={count(locks.acquired)} />
        <Tile label="Takeovers" value={count(locks.taken_over)} />
      </dl>
      <Bars title="How clashes ended" rows={[["By themselves", conflicts.automatic], ...Object.entries(conflicts.by_strategy).map(([key, n]) => [STRATEGIES[key] ?? key, n] as const)]} empty="No clash has ended yet." />
      <Bars title="Who did what (changes)" rows={people} empty="Nobody has changed anything yet." />
      <Bars title="By day (changes)" rows={Object.entries(by_day).slice(-14).map(([day, done]) => [day, done.commits] as const)} empty="Nothing yet." />
    </div>
  );
}

const STRATEGIES: Record<string, string> = {
  keep_current: "Kept", take_candidate: "A candidate taken", merge: "Merged by hand", custom: "Another value",
};

function Tile({ label, value }: { label: string; value: string }) {
  return <div><dt>{label}</dt><dd className="figures">{value}</dd></div>;
}

function Bars({ title, rows, empty }: { title: string; rows: readonly (readonly [string, number])[]; empty: string }) {
  const most = Math.max(1, ...rows.map(([, n]) => n));
  return (
    <figure className="bars">
      <figcaption>{title}</figcaption>
      {rows.every(([, n]) => n === 0) ? <p className="muted small">{empty}</p> : (
        <table>
          <tbody>
            {rows.map(([label, n]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td><meter min={0} max={most} value={n} aria-label={label} /></td>
                <td className="figures">{count(n)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </figure>
  );
}
