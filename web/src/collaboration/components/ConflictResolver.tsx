import { useEffect, useId, useState, type KeyboardEvent } from "react";
import { DATES, fieldName, instant, MONEY, percent, value } from "../../ui/format";
import type { Conflict, Strategy, Suggestion, Value } from "../core";
import { useConflicts, useRecord, useSignal } from "../hooks";
import { useSession } from "../provider";
import { draftOf, parsed } from "./CellEditor";
import { useName } from "./marks";
import { mayJudge } from "./RecordEditor";
import { useWorkspace } from "./workspace";

interface Choice {
  key: string;
  strategy: Strategy;
  edit_id?: string;
  title: string;
  content: Value | undefined;
  note?: string;
}

function choices(conflict: Conflict, name: (id: string) => string): Choice[] {
  const { current, candidates, policy } = conflict;
  const list: Choice[] = [{
    key: "keep", strategy: "keep_current", title: "Keep what it holds", content: current.value,
    note: current.user_id ? `set by ${name(current.user_id)}` : "as imported",
  }];
  for (const { edit_id, user_id, value: content, edit_reason } of candidates) {
    list.push({
      key: edit_id, strategy: "take_candidate", edit_id, title: `Take ${user_id === "" ? "the" : `${name(user_id)}’s`.replace("You’s", "your")} value`,
      content, ...(edit_reason ? { note: `“${edit_reason}”` } : {}),
    });
  }
  if (policy === "three_way" || policy === "union") {
    list.push({ key: "merge", strategy: "merge", ...(candidates.length === 1 ? { edit_id: candidates[0]!.edit_id } : {}), title: "Merge both", content: undefined, note: "the server puts both changes together" });
  }
  list.push({ key: "custom", strategy: "custom", title: "Another value", content: undefined });
  return list;
}

/** The choice that a suggestion means. */
const meant = ({ strategy, edit_id }: Suggestion): string =>
  strategy === "keep_current" ? "keep" : strategy === "take_candidate" ? (edit_id ?? "") : strategy;

/**
 * One open conflict: what it was, what it is, what others wanted, what is suggested, and the decision. Numbers choose, S
 * follows the suggestion, Ctrl+Enter decides.
 */
export function ConflictResolver({ conflict }: { conflict: Conflict }) {
  const session = useSession();
  const workspace = useWorkspace();
  const name = useName();
  const role = useSignal(session.role);
  const { resolve } = useConflicts();
  const { record } = useRecord(conflict.record_id);
  const group = useId();
  const [chosen, setChosen] = useState<string>();
  const [custom, setCustom] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const options = choices(conflict, name);
  const { field_name: field } = conflict;
  const may = mayJudge(role);
  const { suggestion } = conflict;
  const follow = () => {
    if (!suggestion || !may) return;
    setChosen(meant(suggestion));
    if (suggestion.strategy === "custom") setCustom(draftOf(field, suggestion.value));
  };
  const decide = async () => {
    const choice = options.find((option) => option.key === chosen);
    if (!choice || busy) return;
    setBusy(true);
    const answer = await resolve(conflict.conflict_id, choice.strategy, {
      ...(choice.edit_id ? { edit_id: choice.edit_id } : {}),
      ...(choice.strategy === "custom" ? { value: parsed(field, custom, conflict.current.value) } : {}),
      ...(reason.trim() ? { reason: reason.trim() } : {}),
    }).catch(() => undefined);
    setBusy(false);
    if (answer?.ok) workspace.toast("good", `Decided: ${fieldName(field)} is ${value(field, answer.value) || "empty"}.`);
    else workspace.toast("bad", answer ? answer.error.message : "Not decided: there is no connection. Try again when you are online.");
  };
  const keys = (event: KeyboardEvent) => {
    const typing = (event.target as HTMLElement).matches("textarea, input[type=text], input[type=date]");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void decide();
    } else if (/^[1-9]$/.test(event.key) && !typing) {
      const option = options[Number(event.key) - 1];
      if (option && may) setChosen(option.key);
    } else if (event.key.toLowerCase() === "s" && !event.ctrlKey && !event.metaKey && !typing) follow();
  };
  return (
    <section className="conflict" aria-label={`Conflict: ${fieldName(field)} of ${record?.external_id ?? conflict.record_id}`} onKeyDown={keys} tabIndex={-1}>
      <header>
        <h3>
          <button type="button" className="link" onClick={() => workspace.jump.set({ record_id: conflict.record_id, field_name: field })}>
            {record?.external_id ?? conflict.record_id}
          </button>{" "}
          · {fieldName(field)}
        </h3>
        <p className="muted small">Since {instant(conflict.opened_at)}. {record ? value("description", record.values.description) : ""}</p>
      </header>
      <p className="small">
        Before: <b className={MONEY.has(field) ? "figures" : ""}>{conflict.base.known ? value(field, conflict.base.value) || "empty" : "not known any more"}</b>
      </p>
      {suggestion && <Suggested suggestion={suggestion} field={field} {...(may ? { onFollow: follow } : {})} />}
      <fieldset disabled={!may}>
        <legend className="visually-hidden">What it should be</legend>
        {options.map((option, index) => (
          <label key={option.key} className={`choice${chosen === option.key ? " chosen" : ""}`}>
            <input type="radio" name={group} checked={chosen === option.key} onChange={() => setChosen(option.key)} />
            <span>
              <span className="small">{index + 1}. {option.title}{suggestion && meant(suggestion) === option.key ? <b> · suggested</b> : null}</span>
              {option.content !== undefined && <b className={MONEY.has(field) ? "figures" : ""}>{value(field, option.content) || "empty"}</b>}
              {option.note && <span className="muted small">{option.note}</span>}
              {option.key === "custom" && chosen === "custom" && (
                <input type={DATES.has(field) ? "date" : "text"} aria-label="The other value" value={custom} maxLength={4_000} onChange={(event) => setCustom(event.target.value)} />
              )}
            </span>
          </label>
        ))}
      </fieldset>
      {may ? (
        <div className="stack">
          <label htmlFor={`${group}-reason`}>Reason (kept in the audit trail)</label>
          <input id={`${group}-reason`} type="text" value={reason} maxLength={1_000} onChange={(event) => setReason(event.target.value)} />
          <button type="button" className="button primary" disabled={busy || chosen === undefined || (chosen === "custom" && custom === "")} onClick={() => void decide()}>
            Decide
          </button>
        </div>
      ) : (
        <p className="muted small">A reviewer decides this. Until then the field keeps its value, and every wish is kept.</p>
      )}
    </section>
  );
}

/** What the documents, the people and earlier decisions speak for; a person decides all the same. */
function Suggested({ suggestion, field, onFollow }: { suggestion: Suggestion; field: string; onFollow?: () => void }) {
  const { confidence, reason, evidence, against } = suggestion;
  const further = evidence.filter((item) => item.reason !== reason);
  return (
    <div className="suggestion" role="group" aria-label="Suggestion">
      <p>
        <span className="small">Suggested, {percent(confidence / 100)} sure</span>
        <meter min={0} max={100} value={confidence} aria-label="How sure" />
        <b className={MONEY.has(field) ? "figures" : ""}>{value(field, suggestion.value) || "empty"}</b>
        <span className="small">{reason}</span>
      </p>
      {(further.length > 0 || against.length > 0) && (
        <details>
          <summary className="small">Why{against.length > 0 ? ", and what speaks against it" : ""}</summary>
          <ul className="small">
            {further.map((item) => <li key={item.reason}>{item.reason}</li>)}
            {against.map((item) => <li key={item.reason}>Against: {item.reason}</li>)}
          </ul>
        </details>
      )}
      {onFollow && <button type="button" className="button" aria-keyshortcuts="S" onClick={onFollow}>Choose it</button>}
    </div>
  );
}

/** Everything that people disagree on. */
export function ConflictInbox() {
  const { conflicts } = useConflicts();
  const workspace = useWorkspace();
  useEffect(() => {
    workspace.announce(conflicts.length === 0 ? "No open conflicts" : `${conflicts.length} open conflicts`);
  }, [conflicts.length, workspace]);
  if (conflicts.length === 0) return <p className="empty">Nobody disagrees. When two people set a field differently, both values wait here for a decision.</p>;
  return <>{conflicts.map((conflict) => <ConflictResolver key={conflict.conflict_id} conflict={conflict} />)}</>;
}
