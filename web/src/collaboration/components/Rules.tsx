import { useEffect, useState } from "react";
import { capital, instant } from "../../ui/format";
import { useParameters } from "../../ui/url";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { DryRunResult } from "./DryRunResult";
import { useName } from "./marks";
import { ReasonButton } from "./ReasonForm";
import { mayEdit } from "./RecordEditor";
import { draftsOf, moved, newDraft } from "./ruleDrafts";
import { RuleForm } from "./RuleForm";
import { SignOffSettings } from "./SignOffSettings";
import { useRules } from "./useRules";
import { useWorkspace } from "./workspace";

const MAX_RULES = 50;

/** How the session is reconciled: by which rules records are matched, and how the sign-off goes. */
export default function Rules() {
  const [parameters, change] = useParameters();
  const part = parameters.part === "sign-off" ? "sign-off" : "matching";
  return (
    <>
      <div className="tabs small" role="tablist" aria-label="Parts of the rules">
        <button type="button" role="tab" aria-selected={part === "matching"} onClick={() => change({ part: undefined })}>Matching</button>
        <button type="button" role="tab" aria-selected={part === "sign-off"} onClick={() => change({ part: "sign-off" })}>Sign-off</button>
      </div>
      {part === "matching" ? <MatchingRules /> : <SignOffSettings />}
    </>
  );
}

function MatchingRules() {
  const session = useSession();
  const workspace = useWorkspace();
  const role = useSignal(session.role);
  const rules = useRules();
  const { kept, drafts, dirty, stale, busy, errors, refusal, tried } = rules.state;
  const may = mayEdit(role);
  if (!kept) {
    return refusal
      ? <p className="notice bad" role="alert">The rules could not be loaded: {refusal.message} <button type="button" className="button" onClick={() => void rules.load()}>Try again</button></p>
      : <p className="empty">Loading…</p>;
  }
  const names = new Map(drafts.map((draft) => [draft.rule_id, draft.name]));
  const wrong = Object.keys(errors).length > 0;
  return (
    <>
    <form noValidate onSubmit={(event) => {
      event.preventDefault();
      void rules.save().then((saved) => saved && workspace.toast("good", "Saved: the next run works by these rules."));
    }}>
      <p className="muted small">
        They apply in order: what one has matched is gone for the next.{" "}
        {kept.project_version !== null ? `These are the project’s rules (version ${kept.project_version}).` : kept.version === 0 ? "These are the defaults." : "These are this session’s own rules."}
      </p>
      {!may && <p className="muted small">Preparers change the rules; you can see them and try them out.</p>}
      {stale && (
        <p className="notice" role="alert">
          Somebody else has changed the rules meanwhile. <button type="button" className="button" onClick={() => void rules.load()}>Take theirs</button>
        </p>
      )}
      <ol className="plain" aria-label="Rules in order">
        {drafts.map((draft, place) => (
          <RuleForm key={draft.key} {...{ draft, place }} last={place === drafts.length - 1} readOnly={!may} errors={errors[draft.key] ?? {}}
            onChange={(next) => rules.change(drafts.map((item) => (item.key === next.key ? next : item)))}
            onMove={(by) => {
              rules.change(moved(drafts, place, by));
              workspace.announce(`${draft.name} is rule ${place + by + 1} now`);
            }}
            onRemove={() => rules.change(drafts.filter((item) => item.key !== draft.key))} />
        ))}
      </ol>
      {drafts.length === 0 && <p className="empty">No rules: a run needs at least one.</p>}
      {refusal && <p className="notice bad" role="alert">{capital(refusal.message)}{wrong ? ": see the rules above" : ""}.</p>}
      <div className="actions">
        {may && drafts.length < MAX_RULES && <button type="button" className="button" onClick={() => rules.change([...drafts, newDraft()])}>Add a rule</button>}
        <button type="button" className="button" disabled={busy || drafts.length === 0} onClick={() => void rules.tryOut()}>Try them out</button>
      </div>
      {busy && <p role="status" className="muted small">Working… <progress aria-label="Working" /></p>}
      {tried && <DryRunResult result={tried} names={names} />}
      {may && (
        <div className="actions sticky">
          <button type="submit" className="button primary" disabled={busy || !dirty || drafts.length === 0}>Save</button>
          {dirty && <button type="button" className="button" disabled={busy} onClick={() => void rules.load()}>Discard</button>}
        </div>
      )}
    </form>
    <ProjectPart rules={rules} may={may} />
    </>
  );
}

/** The rules that new sessions of the project begin with. */
function ProjectPart({ rules, may }: { rules: ReturnType<typeof useRules>; may: boolean }) {
  const workspace = useWorkspace();
  const name = useName();
  const [open, setOpen] = useState(false);
  const { loadProject } = rules;
  const { project: saved, projectStale } = rules.state;
  useEffect(() => {
    if (open) void loadProject();
  }, [open, loadProject]);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The project’s rules</summary>
      {saved && (
        <>
          <p className="muted small">
            {saved.version === 0 || !saved.saved_at ? "Nobody has saved any: new sessions begin with the defaults." : `Version ${saved.version}, by ${name(saved.saved_by ?? "")}, ${instant(saved.saved_at)}. New sessions begin with them.`}
            {saved.comment ? ` “${saved.comment}”` : ""}
          </p>
          {projectStale && (
            <p className="notice" role="alert">
              Not saved: somebody else has saved rules for the project meanwhile, those above. Save again to put yours in their place.
            </p>
          )}
          {may && (
            <div className="actions">
              <button type="button" className="button" onClick={() => rules.change(draftsOf(saved.rules))}>Use them here</button>
              <ReasonButton label="Save these for the project…" question="Anything to say with them?" required={false} onGive={async (comment) => {
                const done = await rules.saveProject(comment);
                if (done) workspace.toast("good", `Saved as version ${done.version}: new sessions of the project begin with it.`);
                return done !== undefined;
              }} />
            </div>
          )}
        </>
      )}
    </details>
  );
}
