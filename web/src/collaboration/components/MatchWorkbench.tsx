import { useMemo, useState } from "react";
import { count, fromUnits, money, units, value } from "../../ui/format";
import { newId, shown, type RecordView } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { suggestions } from "./candidates";
import { mayEdit } from "./RecordEditor";
import { useWorkspace } from "./workspace";

const MAX_LISTED = 200;

/** Ledger and statement side by side: choose on the left, see what may belong to it on the right, match what nets to zero. */
export default function MatchWorkbench({ onSelect }: { onSelect: (record_id: string) => void }) {
  const session = useSession();
  const workspace = useWorkspace();
  const revision = useSignal(session.records.revision);
  const role = useSignal(session.role);
  const [ledger, setLedger] = useState<ReadonlySet<string>>(new Set());
  const [statement, setStatement] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState(false);
  const [search, setSearch] = useState("");
  const open = useMemo(() => {
    const wanted = search.toLowerCase();
    return [...session.records.values()].filter((record) =>
      record.source === "ledger" && !["matched", "excluded"].includes(String(shown(record, "status"))) &&
      (wanted === "" || [record.external_id, record.values.description, record.values.amount].some((text) => String(text).toLowerCase().includes(wanted))));
    // The records are read anew whenever any of them changes.
  }, [session, revision, search]);
  const first = [...ledger].map((id) => session.records.get(id)).find((record) => record !== undefined);
  const found = useMemo(() => (first ? suggestions(first, session.records.values()) : []), [first, session, revision]);
  const sum = (ids: ReadonlySet<string>) => [...ids].reduce((total, id) => {
    const record = session.records.get(id);
    return record ? total + units(shown(record, "amount")) : total;
  }, 0n);
  const difference = sum(ledger) - sum(statement);
  const toggle = (set: (change: (known: ReadonlySet<string>) => ReadonlySet<string>) => void, id: string) => {
    set((known) => {
      const next = new Set(known);
      if (!next.delete(id)) next.add(id);
      return next;
    });
    session.presence.say({ focus: { record_id: id }, activity: "matching" });
  };
  const match = async () => {
    setBusy(true);
    const edits = [...ledger, ...statement].map((record_id) => {
      const token = session.leases.mine(record_id)?.token;
      const record = session.records.get(record_id)!;
      return { record_id, field_name: "status", new_value: "matched", base_version: record.versions.status ?? 0, ...(token ? { lock_token: token } : {}) };
    });
    const reason = `Matched by hand: ${[...ledger].join(", ")} with ${[...statement].join(", ")}`.slice(0, 1_000);
    const answer = await session.request("edit_batch", { edit_id: newId(), edits, edit_reason: reason }).catch(() => undefined);
    setBusy(false);
    if (!answer?.ok) {
      workspace.toast("bad", answer ? answer.error.message : "Not matched: there is no connection. Your choice is still here.");
      return;
    }
    workspace.toast("good", `Matched ${count(ledger.size)} with ${count(statement.size)}.`);
    setLedger(new Set());
    setStatement(new Set());
  };
  return (
    <div className="workbench">
      <section aria-label="Ledger">
        <header className="side-head"><h2>Ledger</h2>
          <input type="search" aria-label="Search the ledger" placeholder="Search" value={search} onChange={(event) => setSearch(event.target.value)} />
        </header>
        <ul className="plain side-list" tabIndex={-1}>
          {open.slice(0, MAX_LISTED).map((record) => (
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
          {found.map(({ record, reasons }) => (
            <li key={record.record_id}><Line record={record} note={reasons.join(", ")} chosen={statement.has(record.record_id)} onToggle={() => toggle(setStatement, record.record_id)} onShow={() => onSelect(record.record_id)} /></li>
          ))}
        </ul>
      </section>
      <footer className="match-bar">
        <span>Ledger <b className="figures">{money(fromUnits(sum(ledger)))}</b> ({count(ledger.size)})</span>
        <span>Statement <b className="figures">{money(fromUnits(sum(statement)))}</b> ({count(statement.size)})</span>
        <span>Difference <b className={`figures ${difference === 0n ? "text-good" : "text-bad"}`}>{money(fromUnits(difference))}</b></span>
        <button type="button" className="button primary" disabled={!mayEdit(role) || busy || ledger.size === 0 || statement.size === 0 || difference !== 0n} onClick={() => void match()}>Match</button>
      </footer>
    </div>
  );
}

function Line({ record, chosen, note, onToggle, onShow }: { record: RecordView; chosen: boolean; note?: string; onToggle: () => void; onShow: () => void }) {
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
