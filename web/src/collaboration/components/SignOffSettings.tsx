import { useId, useState, type FormEvent } from "react";
import { capital, money } from "../../ui/format";
import { RestError, type Settings } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { useName } from "./marks";
import { Check } from "./RuleForm";
import { useWorkspace } from "./workspace";

type Amount = "threshold" | "second_signature_above" | "auto_certify_up_to";
type Draft = { texts: Record<Amount | "due_date", string>; auto_certify: boolean; period_locked: boolean };

const draftOf = (settings: Settings): Draft => ({
  texts: {
    threshold: String(settings.threshold ?? 0),
    second_signature_above: String(settings.second_signature_above ?? ""),
    auto_certify_up_to: String(settings.auto_certify_up_to ?? ""),
    due_date: settings.due_date ?? "",
  },
  auto_certify: settings.auto_certify ?? false,
  period_locked: settings.period_locked ?? false,
});

/** What has changed, as it is sent; `wrong`: what is no whole number. */
export function changesOf(draft: Draft, settings: Settings): { changes: Settings; wrong: Partial<Record<Amount, string>> } {
  const before = draftOf(settings);
  const changes: Record<string, unknown> = {};
  const wrong: Partial<Record<Amount, string>> = {};
  for (const [field, text] of Object.entries(draft.texts) as [Amount | "due_date", string][]) {
    if (text.trim() === before.texts[field]) continue;
    if (field === "due_date") changes[field] = text || null;
    else if (text.trim() === "" && field !== "threshold") changes[field] = null;
    else if (/^\d+$/.test(text.trim())) changes[field] = Number(text);
    else wrong[field] = "This is no whole number.";
  }
  for (const field of ["auto_certify", "period_locked"] as const) if (draft[field] !== before[field]) changes[field] = draft[field];
  return { changes: changes as Settings, wrong };
}

/** Minor units in the currencies of the session: 500 is 5.00 EUR, and 500 JPY. */
function spelled(text: string, currencies: readonly string[]): string {
  if (!/^\d+$/.test(text.trim())) return "";
  return currencies.slice(0, 3).map((currency) => {
    let digits = 2;
    try {
      digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
    } catch {
      // No currency that the browser knows: two digits, as most have.
    }
    const units = text.trim().padStart(digits + 1, "0");
    return `${money(digits === 0 ? units : `${units.slice(0, -digits)}.${units.slice(-digits)}`)} ${currency}`;
  }).join(", ");
}

/** How the sign-off goes: what may remain unexplained, who signs, until when. */
export function SignOffSettings() {
  const session = useSession();
  const standing = useSignal(session.standing);
  if (!standing) return <p className="empty">Loading…</p>;
  const { settings } = standing.workflow;
  // Whoever changes them elsewhere, the form begins anew with what holds.
  return <SettingsForm key={JSON.stringify(settings)} settings={settings} />;
}

function SettingsForm({ settings }: { settings: Settings }) {
  const session = useSession();
  const workspace = useWorkspace();
  const name = useName();
  const role = useSignal(session.role);
  const standing = useSignal(session.standing);
  const id = useId();
  const [draft, setDraft] = useState(() => draftOf(settings));
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [refusal, setRefusal] = useState<string>();
  const [busy, setBusy] = useState(false);
  const may = role === "approver" || role === "admin";
  const currencies = Object.keys(standing?.difference ?? {});
  const { changes } = changesOf(draft, settings);
  const dirty = JSON.stringify(draft) !== JSON.stringify(draftOf(settings));
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const { wrong } = changesOf(draft, settings);
    setErrors(wrong);
    setRefusal(undefined);
    if (Object.keys(wrong).length > 0) return;
    setBusy(true);
    try {
      await session.rest.write("PATCH", `/sessions/${encodeURIComponent(session.session_id)}/reconciliation/settings`, changes);
      workspace.toast("good", "Saved: the sign-off goes by this from now on.");
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      const fields = (error.refusal.details?.fields ?? {}) as Record<string, string[]>;
      setErrors(Object.fromEntries(Object.entries(fields).map(([field, texts]) => [field, [texts].flat().join(" ")])));
      setRefusal(error.message);
    }
    setBusy(false);
  };
  const amount = (field: Amount, label: string, hint: string) => (
    <span className="number-field">
      <label htmlFor={`${id}-${field}`}>{label}</label>
      <input id={`${id}-${field}`} inputMode="numeric" value={draft.texts[field]} maxLength={16} autoComplete="off"
        aria-describedby={`${id}-${field}-hint`} {...(errors[field] ? { "aria-invalid": true } : {})}
        onChange={(event) => setDraft({ ...draft, texts: { ...draft.texts, [field]: event.target.value } })} />
      <span id={`${id}-${field}-hint`} className={errors[field] ? "text-bad small" : "muted small"}>
        {errors[field] ? capital(errors[field]) : spelled(draft.texts[field], currencies) || hint}
      </span>
    </span>
  );
  return (
    <form className="stack" noValidate onSubmit={(event) => void save(event)}>
      {!may && <p className="muted small">Approvers and administrators change this.</p>}
      <fieldset disabled={!may} className="stack">
        <legend className="visually-hidden">How the sign-off goes</legend>
        <h3>What may remain</h3>
        {amount("threshold", "Unexplained difference that may be submitted", "In the smallest unit of each currency (cents).")}
        <h3>Who signs</h3>
        <p className="muted small">
          A reviewer, an approver or an administrator who changed nothing here.{" "}
          {standing && standing.workflow.prepared_by.length > 0 ? `May not sign: ${standing.workflow.prepared_by.map(name).join(", ")}.` : "Nobody has changed anything yet."}
        </p>
        {amount("second_signature_above", "Two signatures, the second an approver’s, from", "Smallest unit; empty: one signature is enough.")}
        <Check label="Sign by rule when nothing is open and nothing unexplained" on={draft.auto_certify} onSet={(auto_certify) => setDraft({ ...draft, auto_certify })} />
        {draft.auto_certify && amount("auto_certify_up_to", "Only up to", "Smallest unit; empty: any amount.")}
        <label htmlFor={`${id}-due`}>Due</label>
        <input id={`${id}-due`} type="date" value={draft.texts.due_date} onChange={(event) => setDraft({ ...draft, texts: { ...draft.texts, due_date: event.target.value } })} />
        {errors.due_date && <span className="text-bad small">{capital(errors.due_date)}</span>}
        <Check label="The period is locked: nothing changes any more, for nobody" on={draft.period_locked} onSet={(period_locked) => setDraft({ ...draft, period_locked })} />
      </fieldset>
      {refusal && <p className="notice bad" role="alert">{capital(refusal)}.</p>}
      {may && (
        <div className="actions">
          <button type="submit" className="button primary" disabled={busy || !dirty}>Save</button>
          {dirty && <button type="button" className="button" onClick={() => setDraft(draftOf(settings))}>Discard</button>}
        </div>
      )}
    </form>
  );
}
