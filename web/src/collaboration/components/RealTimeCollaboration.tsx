import { lazy, Suspense, useCallback, useEffect, useId, useMemo, useRef, useState, type ReactNode } from "react";
import { Icon, type IconName } from "../../ui/Icon";
import { capital, count, fieldName, STATUSES } from "../../ui/format";
import { useNarrow } from "../../ui/narrow";
import { go, useParameters } from "../../ui/url";
import type { Notification, TokenSource } from "../core";
import { useConflicts, useSignal, useSyncStatus } from "../hooks";
import { CollaborationProvider, useSession } from "../provider";
import { Announcer, Toasts, useNews } from "./Announcements";
import { Comments } from "./Comments";
import { ConflictInbox } from "./ConflictResolver";
import { HistoryDrawer } from "./HistoryDrawer";
import { UnlistedUnsaved } from "./marks";
import { NewsBell } from "./Notifications";
import { placeOf } from "./notificationText";
import { ReconciliationStatus } from "./ReconciliationStatus";
import { RecordCards } from "./RecordCards";
import { mayEdit, RecordEditor } from "./RecordEditor";
import { RecordGrid } from "./RecordGrid";
import { RanOut, Refused } from "./Refused";
import { filterOf, fits, useFields, useRows } from "./rows";
import { SyncBadge } from "./SyncBadge";
import { UserPresence } from "./UserPresence";
import { useWorkspace, Workspace, WorkspaceContext } from "./workspace";

const Analytics = lazy(() => import("./Analytics"));
const ImportRecords = lazy(() => import("./ImportRecords"));
const Rules = lazy(() => import("./Rules"));
const MatchWorkbench = lazy(() => import("./MatchWorkbench"));

export interface RealTimeCollaborationProps {
  sessionId: string;
  token: string | TokenSource;
  url?: string;
  /** Stands at the left and right ends of the session's bar. */
  before?: ReactNode;
  after?: ReactNode;
  /** The token is not taken any more, and cannot be renewed without the person. */
  onSignIn?: () => void;
}

/** A session on the page: everything a team needs to reconcile its records together. */
export function RealTimeCollaboration({ sessionId, token, url, before, after, onSignIn }: RealTimeCollaborationProps) {
  const workspace = useMemo(() => new Workspace(), []);
  return (
    <WorkspaceContext value={workspace}>
      <CollaborationProvider sessionId={sessionId} token={token} {...(url ? { url } : {})}>
        <Screen before={before} after={after} {...(onSignIn ? { onSignIn } : {})} />
      </CollaborationProvider>
    </WorkspaceContext>
  );
}

type Panel = "record" | "conflicts" | "comments" | "history" | "analytics" | "rules" | "import";
const PANELS: Record<Panel, { title: string; icon: IconName }> = {
  record: { title: "Record", icon: "table" },
  conflicts: { title: "Conflicts", icon: "conflict" },
  comments: { title: "Comments", icon: "comment" },
  history: { title: "History", icon: "history" },
  analytics: { title: "Analytics", icon: "chart" },
  rules: { title: "Rules", icon: "rules" },
  import: { title: "Import", icon: "upload" },
};
const isPanel = (name: string | undefined): name is Panel => name !== undefined && name in PANELS;

function Screen({ before, after, onSignIn }: Pick<RealTimeCollaborationProps, "before" | "after" | "onSignIn">) {
  const session = useSession();
  const workspace = useWorkspace();
  const narrow = useNarrow();
  const details = useSignal(session.session);
  const [parameters, change] = useParameters();
  const { connection, loading } = useSyncStatus();
  const panel = isPanel(parameters.panel) ? parameters.panel : undefined;
  const follow = useCallback((item: Notification) => {
    const place = placeOf(item);
    if (item.session_id !== session.session_id) {
      go(`/sessions/${encodeURIComponent(item.session_id)}?${new URLSearchParams(place as Record<string, string>)}`);
      return;
    }
    change(place, true);
    if (item.record_ids[0] !== undefined) {
      workspace.jump.set({ record_id: item.record_ids[0], ...(item.field_name ? { field_name: item.field_name } : {}) });
    }
  }, [session, workspace, change]);
  const nameOf = useCallback((id: string) => session.records.get(id)?.external_id ?? id, [session]);
  useNews(follow);
  const jump = useSignal(workspace.jump);
  useEffect(() => {
    if (jump && parameters.view === "match") change({ view: undefined }, true); // places are in the list
  }, [jump, parameters.view, change]);
  const open = useCallback((next: Panel | undefined) => change({ panel: next }, true), [change]);
  // Where it opens the panel, "back" closes that: on a phone it covers the list.
  const select = useCallback(
    (record: string, show = true) => change({ record, ...(show ? { panel: "record" } : {}) }, show && panel !== "record"),
    [change, panel],
  );
  useEffect(() => {
    document.title = details ? `${details.name || details.session_id} · Reconcile` : "Reconcile";
  }, [details]);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || (event.target as HTMLElement).matches?.("input, textarea, select")) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      void takeBack(session, workspace, key === "y" || event.shiftKey ? "redo" : "undo");
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, [session, workspace]);
  // Whose sign-in has run out keeps in view what they have read and begun. Whoever may not be here reads no further, not even while
  // they try again.
  const ranOut = connection.state === "refused" && connection.error?.code === "token_expired" && details !== undefined;
  const [shut, setShut] = useState(false);
  if (connection.state === "refused" && !ranOut && !shut) setShut(true);
  if (connection.state === "online" && shut) setShut(false);
  if (shut) return <Refused {...(onSignIn ? { onSignIn } : {})} before={before} />;
  return (
    <div className="session">
      <header className="bar">
        {before}
        <h1>{details?.name || details?.session_id || "Session"}</h1>
        <SyncBadge />
        <span className="grow" />
        <UserPresence />
        <Undo />
        <NewsBell book={session.notifications} record={nameOf} onOpen={follow} />
        {after}
      </header>
      {details && details.status !== "active" && <p className="notice bad banner">This session has {details.status}. It can be read, and nothing in it changes any more.</p>}
      {ranOut && <RanOut {...(onSignIn ? { onSignIn } : {})} />}
      {connection.state === "offline" && <p className="notice banner">Offline. You can go on: changes wait on this device and are sent when the connection is back.</p>}
      {loading.state === "failed" && (
        <p className="notice bad banner" role="alert">
          The records could not all be loaded: {loading.error?.message} <button type="button" className="button" onClick={() => void session.reload()}>Load again</button>
        </p>
      )}
      <ReconciliationStatus />
      <div className={`work${panel ? " with-panel" : ""}`}>
        <main className="records">
          {parameters.view === "match"
            ? <Suspense fallback={<p className="empty">Loading…</p>}><MatchWorkbench onSelect={select} /></Suspense>
            : <Records narrow={narrow} selected={parameters.record} onSelect={select} />}
        </main>
        <PanelBar panel={panel} onOpen={open} match={parameters.view === "match"} onMatch={(match) => change({ view: match ? "match" : undefined }, true)} />
        {panel && (
          <aside className="panel" aria-label={PANELS[panel].title}>
            <header className="panel-head">
              <h2>{PANELS[panel].title}</h2>
              <button type="button" className="icon-button" aria-label={`Close ${PANELS[panel].title}`} onClick={() => open(undefined)}><Icon name="close" /></button>
            </header>
            <div className="panel-body" tabIndex={-1}>
              <Suspense fallback={<p className="empty">Loading…</p>}>
                {panel === "record" && (parameters.record ? <RecordEditor recordId={parameters.record} /> : <p className="empty">Choose a record in the list.</p>)}
                {panel === "conflicts" && <ConflictInbox />}
                {panel === "comments" && <Comments />}
                {panel === "history" && <HistoryDrawer />}
                {panel === "analytics" && <Analytics />}
                {panel === "rules" && <Rules />}
                {panel === "import" && <ImportRecords />}
              </Suspense>
            </div>
          </aside>
        )}
      </div>
      <Toasts />
      <Announcer />
    </div>
  );
}

function PanelBar({ panel, onOpen, match, onMatch }: {
  panel: Panel | undefined; onOpen: (panel: Panel | undefined) => void; match: boolean; onMatch: (match: boolean) => void;
}) {
  const session = useSession();
  const { conflicts } = useConflicts();
  const role = useSignal(session.role);
  const shown = (Object.keys(PANELS) as Panel[]).filter((name) => name !== "import" || mayEdit(role));
  return (
    <nav className="panel-bar" aria-label="Panels">
      <button type="button" className="panel-button" aria-pressed={match} onClick={() => onMatch(!match)}>
        <Icon name="match" /><span>Match</span>
      </button>
      {shown.map((name) => {
        const n = name === "conflicts" ? conflicts.length : 0;
        return (
          <button key={name} type="button" className="panel-button" aria-pressed={panel === name} onClick={() => onOpen(panel === name ? undefined : name)}>
            <Icon name={PANELS[name].icon} />
            <span>{PANELS[name].title}</span>
            {n > 0 && <span className="counter">{n}<span className="visually-hidden"> open</span></span>}
          </button>
        );
      })}
    </nav>
  );
}

function Records({ narrow, selected, onSelect }: { narrow: boolean; selected: string | undefined; onSelect: (id: string, show?: boolean) => void }) {
  const session = useSession();
  const [parameters, change] = useParameters();
  const filter = useMemo(() => filterOf(parameters), [parameters]);
  const { ids, stale, refresh } = useRows(filter);
  const { loading } = useSyncStatus();
  const role = useSignal(session.role);
  const status = useSignal(session.session)?.status;
  const size = useSignal(session.records.size);
  const fields = useFields();
  const loadingNow = loading.state === "waiting" || loading.state === "loading";
  const workspace = useWorkspace();
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const wanted = parameters.q ?? "";
    if (search.current && search.current.value !== wanted) search.current.value = wanted;
  }, [parameters.q]);
  const jump = useSignal(workspace.jump);
  useEffect(() => {
    // What is listed the list goes to by itself.
    if (!jump || ids.includes(jump.record_id)) return;
    const record = session.records.get(jump.record_id);
    if (record && fits(filter)(record)) refresh();
    else if (record) {
      workspace.jump.set(undefined);
      workspace.toast("info", `${record.external_id} is not among the records that are listed now.`, {
        label: "List all", run: () => {
          change({ q: undefined, source: undefined, status: undefined, only: undefined });
          workspace.jump.set(jump);
        },
      });
    } else if (!loadingNow) {
      workspace.jump.set(undefined);
      workspace.toast("info", "This record is not in this session.");
    }
  }, [jump, ids, filter, refresh, loadingNow, session, workspace, change]);
  return (
    <>
      <form className="toolbar" role="search" onSubmit={(event) => event.preventDefault()}>
        <label className="search"><span className="visually-hidden">Search records</span><Icon name="search" />
          <input ref={search} type="search" placeholder="Search" defaultValue={parameters.q ?? ""} onChange={(event) => change({ q: event.target.value })} maxLength={200} />
        </label>
        <Pick label="Side" value={parameters.source} options={[["ledger", "Ledger"], ["statement", "Statement"]]} onPick={(source) => change({ source })} />
        <Pick label="Status" value={parameters.status} options={STATUSES.map((item) => [item, capital(item)])} onPick={(item) => change({ status: item })} />
        <Pick label="Show" value={parameters.only} options={[["conflicts", "In conflict"]]} onPick={(only) => change({ only })} />
        <Pick label="Sort" value={parameters.sort} options={["external_id", "source", ...fields].flatMap((field) => [[field, `${fieldName(field)} ↑`], [`-${field}`, `${fieldName(field)} ↓`]] as [string, string][])} onPick={(sort) => change({ sort })} />
        <span className="muted small figures">{count(ids.length)}{ids.length === size ? "" : ` of ${count(size)}`} records{loadingNow ? ", loading…" : ""}</span>
        <UnlistedUnsaved ids={ids} onSelect={onSelect} />
        {stale > 0 && <button type="button" className="button" onClick={refresh}>{count(stale)} changed: update the list</button>}
      </form>
      {loadingNow && size === 0 ? <p className="empty" role="status">Loading records…</p>
        : size === 0 ? <p className="empty">No records yet. Import a ledger and a statement to begin.</p>
        : narrow ? <RecordCards ids={ids} onSelect={onSelect} />
        : <RecordGrid ids={ids} sort={filter.sort} onSort={(sort) => change({ sort })} selected={selected} onSelect={onSelect} readOnly={!mayEdit(role) || status !== "active"} />}
    </>
  );
}

function Pick({ label, value, options, onPick }: { label: string; value: string | undefined; options: readonly (readonly [string, string])[]; onPick: (value: string | undefined) => void }) {
  const id = useId();
  return (
    <span className="pick"><label htmlFor={id}>{label}</label>
      <select id={id} value={value ?? ""} onChange={(event) => onPick(event.target.value || undefined)}>
        <option value="">{label === "Sort" ? "As loaded" : "All"}</option>
        {options.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
      </select>
    </span>
  );
}

async function takeBack(session: ReturnType<typeof useSession>, workspace: Workspace, what: "undo" | "redo"): Promise<void> {
  const answer = await session[what]().catch(() => undefined);
  if (answer === undefined) workspace.toast("bad", "There is no connection; try again when you are online.");
  else if (answer.ok) workspace.toast("good", what === "undo" ? "Your last change is taken back." : "Your change is done again.");
  else workspace.toast(answer.error.code === "nothing_to_undo" ? "info" : "bad", capital(answer.error.message));
}

function Undo() {
  const session = useSession();
  const workspace = useWorkspace();
  const role = useSignal(session.role);
  if (!mayEdit(role)) return null;
  return (
    <span className="undo">
      <button type="button" className="icon-button" title="Undo (Ctrl+Z)" aria-label="Undo" onClick={() => void takeBack(session, workspace, "undo")}><Icon name="undo" /></button>
      <button type="button" className="icon-button" title="Redo (Ctrl+Y)" aria-label="Redo" onClick={() => void takeBack(session, workspace, "redo")}><Icon name="redo" /></button>
    </span>
  );
}
