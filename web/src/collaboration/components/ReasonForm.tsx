import { useId, useState, type FormEvent } from "react";

/**
 * A button that first asks for a reason, for what goes into the audit trail. `onGive` resolves to false where it could not
 * be done: then what was written stays. `opened`: it asks at once, without being pressed.
 */
export function ReasonButton({ label, question, required = true, primary = false, disabled = false, opened = false, onGive }: {
  label: string; question: string; required?: boolean; primary?: boolean; disabled?: boolean; opened?: boolean; onGive: (reason: string) => Promise<unknown>;
}) {
  const id = useId();
  const [reason, setReason] = useState(opened ? "" : undefined);
  const [busy, setBusy] = useState(false);
  if (reason === undefined) {
    return <button type="button" className={`button${primary ? " primary" : ""}`} disabled={disabled} onClick={() => setReason("")}>{label}</button>;
  }
  const give = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const done = await onGive(reason.trim());
    setBusy(false);
    if (done !== false) setReason(undefined);
  };
  return (
    <form className="reason" onSubmit={(event) => void give(event)}>
      <label htmlFor={id}>{question}</label>
      <input id={id} type="text" autoFocus value={reason} maxLength={1_000} onChange={(event) => setReason(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && setReason(undefined)} />
      <span className="actions">
        <button type="submit" className="button primary" disabled={busy || (required && reason.trim() === "")}>{label.replace("…", "")}</button>
        <button type="button" className="button" onClick={() => setReason(undefined)}>Cancel</button>
      </span>
    </form>
  );
}
