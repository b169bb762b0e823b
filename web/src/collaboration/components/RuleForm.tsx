import { useId } from "react";
import { Icon } from "../../ui/Icon";
import { capital } from "../../ui/format";
import type { Rule } from "../core";
import { KINDS, NUMBERS, type NumberField, type RuleDraft } from "./ruleDrafts";

/** A rule with all its members, and what can be done with it in the order. */
export function RuleForm({ draft, place, last, readOnly, errors, onChange, onMove, onRemove }: {
  draft: RuleDraft; place: number; last: boolean; readOnly: boolean; errors: Readonly<Record<string, string>>;
  onChange: (draft: RuleDraft) => void; onMove: (by: -1 | 1) => void; onRemove: () => void;
}) {
  const id = useId();
  const wrong = Object.keys(errors).length;
  const set = (change: Partial<RuleDraft>) => onChange({ ...draft, ...change });
  const told = (field: string) => (errors[field] ? { "aria-invalid": true, "aria-describedby": `${id}-${field}-error` } : {});
  const error = (field: string) => errors[field] && <span id={`${id}-${field}-error`} className="text-bad small">{capital(errors[field])}</span>;
  return (
    <li className={`rule${draft.enabled ? "" : " off"}`}>
      <header>
        <span className="rule-name"><b>{place + 1}. {draft.name || "Without a name"}</b><span className="muted small">{KINDS[draft.kind]}{draft.enabled ? "" : " · does not apply"}</span></span>
        {!readOnly && (
          <span className="rule-moves">
            <button type="button" className="icon-button" aria-label={`Move ${draft.name} up`} title="Earlier" disabled={place === 0} onClick={() => onMove(-1)}><Icon name="up" /></button>
            <button type="button" className="icon-button" aria-label={`Move ${draft.name} down`} title="Later" disabled={last} onClick={() => onMove(1)}><Icon name="down" /></button>
            <button type="button" className="icon-button" aria-label={`Remove ${draft.name}`} title="Remove" onClick={onRemove}><Icon name="close" /></button>
          </span>
        )}
      </header>
      {wrong > 0 && <p className="text-bad small"><Icon name="conflict" /> {wrong === 1 ? "Something is" : `${wrong} things are`} wrong here.</p>}
      <details {...(wrong > 0 ? { open: true } : {})}>
        <summary className="small">{readOnly ? "Show" : "Change"}<span className="visually-hidden"> {draft.name}</span></summary>
        <fieldset disabled={readOnly} className="stack">
          <legend className="visually-hidden">{draft.name}</legend>
          <label htmlFor={`${id}-name`}>Name</label>
          <input id={`${id}-name`} value={draft.name} maxLength={100} onChange={(event) => set({ name: event.target.value })} {...told("name")} />
          {error("name")}
          <label htmlFor={`${id}-kind`}>What is matched</label>
          <select id={`${id}-kind`} value={draft.kind} onChange={(event) => set({ kind: event.target.value as Rule["kind"] })} {...told("kind")}>
            {Object.entries(KINDS).map(([kind, text]) => <option key={kind} value={kind}>{text}</option>)}
          </select>
          {error("kind")}
          {(Object.keys(NUMBERS) as NumberField[]).map((field) => (
            <span key={field} className="number-field">
              <label htmlFor={`${id}-${field}`}>{NUMBERS[field].label}</label>
              <input id={`${id}-${field}`} type="number" step={NUMBERS[field].step ?? "1"} inputMode="decimal" value={draft.numbers[field]}
                onChange={(event) => set({ numbers: { ...draft.numbers, [field]: event.target.value } })} {...told(field)} />
              {error(field)}
            </span>
          ))}
          <Check label="It applies" on={draft.enabled} onSet={(enabled) => set({ enabled })} />
          <Check label="A reference in common is needed" on={draft.reference_required} onSet={(reference_required) => set({ reference_required })} />
          <Check label="What is unambiguous is confirmed at once" on={draft.auto_confirm} onSet={(auto_confirm) => set({ auto_confirm })} />
          {error("rule_id")}
        </fieldset>
      </details>
    </li>
  );
}

export function Check({ label, on, onSet }: { label: string; on: boolean; onSet: (on: boolean) => void }) {
  return <label className="check"><input type="checkbox" checked={on} onChange={(event) => onSet(event.target.checked)} /> {label}</label>;
}
