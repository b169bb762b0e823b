import { capital, instant, value } from "../../ui/format";
import type { Standing } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { useAction } from "./actions";
import { ExportButton } from "./ExportButton";
import { useName } from "./marks";
import { mayEdit, mayJudge } from "./RecordEditor";
import { ReasonButton } from "./ReasonForm";

const STATES: Record<Standing["workflow"]["status"], string> = {
  not_started: "Not started", in_progress: "In progress", in_review: "In review", approved: "Signed off",
};

/** The way to the sign-off: who submitted, who signed, what still stands in the way, and what you may do. */
export function SignOffBar() {
  const session = useSession();
  const standing = useSignal(session.standing);
  const conflicts = useSignal(session.conflicts);
  const run = useSignal(session.reconciliation);
  const role = useSignal(session.role);
  const name = useName();
  const act = useAction();
  if (!standing) return null;
  const { workflow } = standing;
  const prepared = workflow.prepared_by.includes(session.user_id);
  const running = ["queued", "running", "paused"].includes(run.status);
  const obstacles = [
    ...(conflicts.size > 0 ? [`${conflicts.size} open ${conflicts.size === 1 ? "conflict" : "conflicts"}`] : []),
    ...(running ? ["a matching run is under way"] : []),
  ];
  const open = workflow.status === "in_progress" || workflow.status === "not_started";
  const given = (reason: string, key = "reason") => (reason ? { [key]: reason } : {});
  return (
    <div className="sign-off" role="group" aria-label="Sign-off">
      <span className="run-state"><b>Sign-off</b> {STATES[workflow.status]}</span>
      {workflow.submitted_by && workflow.submitted_at && !open && (
        <span className="small muted">submitted by {name(workflow.submitted_by)}, {instant(workflow.submitted_at)}</span>
      )}
      {workflow.signoffs.map((signature) => (
        <span key={`${signature.user_id} ${signature.at}`} className={`small signature${signature.suspended_by === null ? "" : " suspended"}`}>
          {signature.suspended_by === null ? "Signed" : "Signature suspended"}: {signature.name}, {capital(signature.role)}, {instant(signature.at)}
        </span>
      ))}
      {workflow.settings.due_date && workflow.status !== "approved" && <span className="small muted">due {value("due_date", workflow.settings.due_date)}</span>}
      {workflow.settings.period_locked && <span className="small text-bad">The period is locked.</span>}
      {open && workflow.reason && <span className="small text-bad">Sent back: “{workflow.reason}”</span>}
      {open && mayEdit(role) && (
        obstacles.length > 0
          ? <span className="small muted">To submit: {obstacles.join(", ")}.</span>
          : <ReasonButton label="Submit for review…" question="Anything to say to those who sign?" required={false}
              onGive={(comment) => act("reconciliation_submit", given(comment, "comment"), "Submitted: nothing changes now until it is signed or sent back.")} />
      )}
      {workflow.status === "in_review" && mayJudge(role) && (
        prepared ? <span className="small muted">You changed something here, so somebody else signs.</span> : (
          <>
            <ReasonButton primary label="Sign…" question="Anything to say with your signature?" required={false}
              onGive={(comment) => act("reconciliation_approve", given(comment, "comment"), "Signed.")} />
            <ReasonButton label="Send back…" question="Why? The preparers read this."
              onGive={(reason) => act("reconciliation_reject", given(reason), "Sent back.")} />
          </>
        )
      )}
      {workflow.status === "approved" && mayJudge(role) && (
        <ReasonButton label="Reopen…" question="Why? It goes into the audit trail."
          onGive={(reason) => act("reconciliation_reopen", given(reason), "Open again: the signatures do not hold any more.")} />
      )}
      <ExportButton />
    </div>
  );
}
