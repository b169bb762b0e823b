import { useEffect, useMemo, useState } from "react";
import { count, money, units, value } from "../../ui/format";
import { isOpen, shown, type Candidates, type MatchEntry, type RecordView } from "../core";
import { useNowAndThen, useSignal } from "../hooks";
import { useSession } from "../provider";
import { useAction } from "./actions";
import { MatchCard, MatchesMissing } from "./Belonging";
import { suggestions } from "./candidates";
import { mayEdit } from "./RecordEditor";
import { ReasonButton } from "./ReasonForm";
import { contains } from "./rows";
import { differencesOf, useStatementSign } from "./totals";

const MAX_LISTED = 200;

/** Ledger and statement side by side: choose on the left, see what may belong to it on the right, match what nets to zero. */
export default function MatchWorkbench({ onSelect }: { onSelect: (record_id: string) => void }) {
  const session = useSession();
  const act = useAction();
  const matches = useSignal(session.matches.matches);
  const { done: known } = useSignal(session.matches.loading);
  const [tab, setTab] = useState<"hand" | "suggested">("hand");
  const suggested = useMemo(
    () => [...matches.values()].filter((item) => item.status === "suggested").sort((a, b) => (b.score ?? 0) - (a.score ?? 0)),
    [matches],
  );
  // Both sides are gone through whenever anything changes; once a second is soon enough.
  const revision = useNowAndThen(session.records.revision, 1_000);
  const role = useSignal(session.role);
  const [ledger, setLedger] = useState<ReadonlySet<string>>(new Set());
  const [statement, setStatement] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState(false);
  /** The server has said that what is chosen does not net to zero, whatever this page made of it. */
  const [unbalanced, setUnbalanced] = useState(false);
  const [search, setSearch] = useState("");
  const open = useMemo(() => {
    const holds = contains(search);
    return [...session.records.values()].filter((record) =>
      record.source === "ledger" && isOpen(record) && holds(record));
    // The records are read anew whenever any of them changes.
  }, [session, revision, search]);
  useEffect(() => {
    // What somebody else, or a run, has matched meanwhile is not open any more, and could not be unticked.
    const stillOpen = (ids: ReadonlySet<string>) => {
      const left = [...ids].filter((id) => {
        const record = session.records.get(id);
        return record !== undefined && isOpen(record);
      });
      return left.length === ids.size ? ids : new Set(left);
    };
    setLedger(stillOpen);
    setStatement(stillOpen);
  }, [session, revision]);
  const chosen = (ids: ReadonlySet<string>) => [...ids].flatMap((id) => session.records.get(id) ?? []);
  const [first] = chosen(ledger);
  const sign = useStatementSign();
  const guessed = useMemo(() => (first ? suggestions(first, session.records.values(), sign) : []), [first, session, sign, revision]);
  const told = useCandidates(first?.record_id);
  const found = useMemo(() => {
    const ranked = told.flatMap(({ record_id, reasons }) => {
      const record = session.records.get(record_id);
      return record && isOpen(record) ? [{ record, reasons }] : [];
    });
    const named = new Set(ranked.map(({ record }) => record.record_id));
    return [...ranked, ...guessed.filter(({ record }) => !named.has(record.record_id))];
  }, [told, guessed, session]);
  const sums = differencesOf([...chosen(ledger), ...chosen(statement)], sign);
  const spelled = (part: "ledger" | "statement" | "difference") => sums.map((sum) => `${money(sum[part])} ${sum.currency}`).join(", ") || money("0.00");
  const even = sums.every(({ difference }) => units(difference) === 0n);
  const toggle = (set: (change: (known: ReadonlySet<string>) => ReadonlySet<string>) => void, id: string) => {
    set((known) => {
      const next = new Set(known);
      if (!next.delete(id)) next.add(id);
      return next;
    });
    setUnbalanced(false);
    session.presence.say({ focus: { record_id: id }, activity: "matching" });
  };
  const match = async (reason?: string) => {
    setBusy(true);
    const done = `Matched ${count(ledger.size)} with ${count(statement.size)}.`;
    const body = { ledger: [...ledger], statement: [...statement], ...(reason ? { reason } : {}) };
    const matched = await act("match_create", body, done, ({ code, details }) => {
      // A record without an amount is refused by the same name, and no reason makes up for that.
      if (code === "unbalanced" && details?.difference) setUnbalanced(true);
    });
    if (matched) {
      setLedger(new Set());
      setStatement(new Set());
    }
    setBusy(false);
    return matched;
  };
  const ready = mayEdit(role) && ledger.size > 0 && statement.size > 0;
  const listed = withChosen(open.slice(0, MAX_LISTED), chosen(ledger));
  const candidates = withChosen(found.map(({ record }) => record), chosen(statement));
  const reasons = new Map(found.map((item) => [item.record.record_id, item.reasons]));
  return (
    <div className="workbench">
      <div className="tabs" role="tablist" aria-label="Ways to match">
        <button type="button" role="tab" aria-selected={tab === "hand"} onClick={() => setTab("hand")}>By hand</button>
        <button type="button" role="tab" aria-selected={tab === "suggested"} onClick={() => setTab("suggested")}>Suggested ({count(suggested.length)})</button>
      </div>
      {tab === "suggested" && (
        <section aria-label="Suggested matches" className="all-columns">
          {!known && <MatchesMissing />}
          {known && suggested.length === 0 && <p className="empty">Nothing is suggested. Start a matching run: what is clear it matches by itself, the rest it suggests here.</p>}
          <ul className="plain side-list" tabIndex={-1}>
            {suggested.slice(0, MAX_LISTED).map((item) => <Suggested key={item.match_id} match={item} onShow={onSelect} />)}
          </ul>
          {suggested.length > 0 && mayEdit(role) && (
            <p className="match-bar">
              <button type="button" className="button primary" onClick={() => void act("match_confirm", { match_ids: suggested.slice(0, MAX_LISTED).map(({ match_id }) => match_id) }, `Confirmed ${count(Math.min(MAX_LISTED, suggested.length))}.`)}>
                Confirm {suggested.length > MAX_LISTED ? `these ${count(MAX_LISTED)}` : "all"}
              </button>
            </p>
          )}
        </section>
      )}
      {tab === "hand" && <>
      <section aria-label="Ledger">
        <header className="side-head"><h2>Ledger</h2>
          <input type="search" aria-label="Search the ledger" placeholder="Search" value={search} onChange={(event) => setSearch(event.target.value)} />
        </header>
        <ul className="plain side-list" tabIndex={-1}>
          {listed.map((record) => (
            <li key={record.record_id}><Line record={record} chosen={ledger.has(record.record_id)} onToggle={() => toggle(setLedger, record.record_id)} onShow={() => onSelect(record.record_id)} /></li>
          ))}
        </ul>
        {open.length === 0 && <p className="empty">Nothing is open here.</p>}
        {open.length > MAX_LISTED && <p className="muted small">{count(open.length - MAX_LISTED)} more: search to find them.</p>}
      </section>
      <section aria-label="Statement">
        <header className="side-head"><h2>Statement</h2></header>
        {!first && <p className="empty">Choose a ledger record: what may belong to it appears here, likeliest first.</p>}
        {first && found.length === 0 && <p className="empty">Nothing on the statement looks like it. It may be missing there.</p>}
        <ul className="plain side-list" tabIndex={-1}>
          {candidates.map((record) => (
            <li key={record.record_id}><Line record={record} note={reasons.get(record.record_id)?.join(", ")} chosen={statement.has(record.record_id)} onToggle={() => toggle(setStatement, record.record_id)} onShow={() => onSelect(record.record_id)} /></li>
          ))}
        </ul>
      </section>
      <footer className="match-bar">
        <span>Ledger <b className="figures">{spelled("ledger")}</b> ({count(ledger.size)})</span>
        <span>Statement <b className="figures">{spelled("statement")}</b> ({count(statement.size)})</span>
        <span>Difference <b className={`figures ${even ? "text-good" : "text-bad"}`}>{spelled("difference")}</b></span>
        {sign < 0n && <span className="muted small">The statement counts money out as positive.</span>}
        {ready && (!even || unbalanced)
          ? <ReasonButton primary label="Match all the same…" question="They do not net to zero. Why do they belong together?" opened={unbalanced} onGive={match} />
          : <button type="button" className="button primary" disabled={!ready || busy} onClick={() => void match()}>Match</button>}
      </footer>
      </>}
    </div>
  );
}

/** The list, begun by what is chosen and not in it: it can be taken back wherever one has looked since. */
function withChosen(listed: readonly RecordView[], chosen: readonly RecordView[]): RecordView[] {
  const ids = new Set(listed.map(({ record_id }) => record_id));
  return [...chosen.filter(({ record_id }) => !ids.has(record_id)), ...listed];
}

/** What the server thinks may belong to a record; empty until it has answered. */
function useCandidates(record_id: string | undefined): Candidates["items"] {
  const session = useSession();
  const [found, setFound] = useState<{ for?: string; items: Candidates["items"] }>({ items: [] });
  useEffect(() => {
    if (record_id === undefined) return undefined;
    const ended = new AbortController();
    const path = `/sessions/${encodeURIComponent(session.session_id)}/records/${encodeURIComponent(record_id)}/candidates`;
    session.rest.get<Candidates>(path, { limit: 20 }, ended.signal).then(
      ({ items }) => setFound({ for: record_id, items }),
      // Without them the page's own guesses stand.
      () => undefined,
    );
    return () => ended.abort();
  }, [session, record_id]);
  return found.for === record_id ? found.items : NONE;
}

const NONE: never[] = [];

function Suggested({ match, onShow }: { match: MatchEntry; onShow: (record_id: string) => void }) {
  const session = useSession();
  return (
    <li className="suggested">
      <MatchCard match={match} />
      <button type="button" className="link small" onClick={() => onShow(match.ledger[0] ?? match.statement[0]!)}>
        Open<span className="visually-hidden"> {session.records.get(match.ledger[0] ?? "")?.external_id ?? "the first record"}</span>
      </button>
    </li>
  );
}

function Line({ record, chosen, note, onToggle, onShow }: { record: RecordView; chosen: boolean; note?: string | undefined; onToggle: () => void; onShow: () => void }) {
  return (
    <div className={`line${chosen ? " chosen" : ""}`}>
      <label>
        <input type="checkbox" checked={chosen} onChange={onToggle} />
        <span className="line-text">
          <span>{value("description", shown(record, "description")) || record.external_id}</span>
          <span className="muted small">{value("date", shown(record, "date"))} · {record.external_id}{note ? ` · ${note}` : ""}</span>
        </span>
        <b className="figures">{value("amount", shown(record, "amount"))} {String(shown(record, "currency") ?? "")}</b>
      </label>
      <button type="button" className="link small" onClick={onShow}>Open<span className="visually-hidden"> {record.external_id}</span></button>
    </div>
  );
}
