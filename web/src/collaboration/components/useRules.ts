import { useCallback, useEffect, useRef, useState } from "react";
import { RestError, type DryRun, type ProjectRules, type Refusal, type RulesDone, type SessionRules } from "../core";
import { useSession } from "../provider";
import { draftsOf, errorsOf, rulesOf, type RuleDraft, type RuleErrors } from "./ruleDrafts";

const NO_ERRORS: RuleErrors = {};

export interface RulesState {
  /** Undefined until they are loaded. */
  kept: SessionRules | undefined;
  drafts: readonly RuleDraft[];
  dirty: boolean;
  /** Somebody else has changed the rules since these were loaded. */
  stale: boolean;
  busy: boolean;
  errors: RuleErrors;
  /** Why the last thing asked was refused. */
  refusal: Refusal | undefined;
  /** What a run would do by the rules as they are shown. */
  tried: DryRun | undefined;
  /** The project's; undefined until they are loaded. */
  project: ProjectRules | undefined;
  /** Somebody else has saved rules for the project: `project` are theirs, and one's own are not saved. */
  projectStale: boolean;
}

const EMPTY: RulesState = {
  kept: undefined, drafts: [], dirty: false, stale: false, busy: false, errors: NO_ERRORS, refusal: undefined, tried: undefined,
  project: undefined, projectStale: false,
};

/** The session's rules while a person works on them: loaded, changed, tried, saved. */
export function useRules() {
  const session = useSession();
  const path = `/sessions/${encodeURIComponent(session.session_id)}/reconciliation`;
  const [state, setState] = useState<RulesState>(EMPTY);
  const now = useRef(state);
  now.current = state;

  const change = useCallback((drafts: readonly RuleDraft[]) => {
    setState((known) => ({ ...known, drafts, dirty: true, tried: undefined }));
  }, []);

  /** Asks, and keeps why not; undefined then. `onStale`: where somebody else was first. */
  const ask = useCallback(async <T>(work: () => Promise<T>, onStale?: () => unknown): Promise<T | undefined> => {
    setState((known) => ({ ...known, busy: true, refusal: undefined, errors: NO_ERRORS }));
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      const { refusal } = error;
      setState((known) => ({ ...known, refusal, errors: errorsOf(refusal, known.drafts) }));
      if (refusal.code === "version_stale") await onStale?.();
      return undefined;
    } finally {
      setState((known) => ({ ...known, busy: false }));
    }
  }, []);

  const load = useCallback(async () => {
    const kept = await ask(() => session.rest.get<SessionRules>(`${path}/rules`));
    if (kept) setState((known) => ({ ...known, kept, drafts: draftsOf(kept.rules), dirty: false, stale: false, tried: undefined }));
  }, [ask, session, path]);

  useEffect(() => {
    void load();
    return session.onCommit(({ message_type, user_id }) => {
      if (message_type !== "reconciliation.rules_changed" || user_id === session.user_id) return;
      if (now.current.dirty) setState((known) => ({ ...known, stale: true }));
      else void load();
    });
  }, [load, session]);

  /** The rules as they are shown, if all of them can be read. */
  const read = useCallback(() => {
    const { rules, errors } = rulesOf(now.current.drafts);
    setState((known) => ({ ...known, errors }));
    return Object.keys(errors).length === 0 ? rules : undefined;
  }, []);

  /** True when they are saved. */
  const save = useCallback(async (): Promise<boolean> => {
    const rules = read();
    const base_version = now.current.kept?.version ?? 0;
    if (!rules) return false;
    const done = await ask(
      () => session.rest.write<RulesDone>("PUT", `${path}/rules`, { rules, base_version }),
      () => setState((known) => ({ ...known, stale: true })),
    );
    if (!done) return false;
    await load();
    return true;
  }, [read, ask, session, path, load]);

  const tryOut = useCallback(async () => {
    const rules = read();
    if (!rules) return;
    const tried = await ask(() => session.rest.write<DryRun>("POST", `${path}/dry-run`, { rules, examples: 3 }));
    if (tried) setState((known) => ({ ...known, tried }));
  }, [read, ask, session, path]);

  const projectPath = `/projects/${encodeURIComponent(session.session.get()?.project_id ?? "")}/rules`;
  const loadProject = useCallback(async (projectStale = false) => {
    const project = await ask(() => session.rest.get<ProjectRules>(projectPath));
    if (project) setState((known) => ({ ...known, project, projectStale }));
  }, [ask, session, projectPath]);

  /** For the project, on the version of its rules that is shown. Undefined when they are not saved; the drafts stay. */
  const saveProject = useCallback(async (comment: string): Promise<ProjectRules | undefined> => {
    const rules = read();
    const base_version = now.current.project?.version ?? 0;
    if (!rules) return undefined;
    const project = await ask(
      () => session.rest.write<ProjectRules>("PUT", projectPath, { rules, base_version, ...(comment ? { comment } : {}) }),
      () => loadProject(true),
    );
    if (project) setState((known) => ({ ...known, project, projectStale: false }));
    return project;
  }, [read, ask, session, projectPath, loadProject]);

  return { state, change, load, save, tryOut, loadProject, saveProject };
}
