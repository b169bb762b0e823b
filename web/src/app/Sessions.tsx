import { useCallback, useEffect, useState, type FormEvent } from "react";
import { claimsOf, Rest, RestError, type SessionDetail, type SessionListed, type SessionsPage } from "../collaboration/core";
import { Icon } from "../ui/Icon";
import { capital, instant } from "../ui/format";
import { go } from "../ui/url";
import { tokens } from "./auth";

const rest = new Rest({ token: tokens.current });

/** One's projects and their sessions. */
export function Sessions({ token }: { token: string }) {
  const projects = Object.entries(claimsOf(token)?.projects ?? {});
  const [sessions, setSessions] = useState<SessionListed[]>();
  const [error, setError] = useState<string>();
  const load = useCallback(async () => {
    try {
      const found: SessionListed[] = [];
      for await (const page of rest.pages<SessionsPage>("/sessions", { limit: 200 })) found.push(...page.items);
      setSessions(found);
      setError(undefined);
    } catch (reason) {
      if (!(reason instanceof RestError)) throw reason;
      setError(reason.message);
    }
  }, []);
  useEffect(() => {
    document.title = "Sessions · Reconcile";
    void load();
    // Whoever comes back to the page sees what others have begun meanwhile.
    const seen = () => document.visibilityState === "visible" && void load();
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, [load]);
  return (
    <main className="sessions">
      <h1>Sessions</h1>
      {error && <p className="notice bad" role="alert">{error} <button type="button" className="button" onClick={() => void load()}>Try again</button></p>}
      {projects.length === 0 && <p className="empty">Your sign-in names no project. Ask an administrator to add you to one.</p>}
      {projects.map(([project, role]) => {
        const mine = sessions?.filter((session) => session.project_id === project) ?? [];
        return (
          <section key={project} aria-label={`Project ${project}`}>
            <h2>{project} <span className="badge">{capital(role)}</span></h2>
            {!sessions && !error && <p className="muted">Loading…</p>}
            {sessions && mine.length === 0 && <p className="empty">No sessions yet.</p>}
            <ul className="plain session-list">
              {mine.map((session) => (
                <li key={session.session_id}>
                  <a href={`/sessions/${encodeURIComponent(session.session_id)}`} onClick={(event) => {
                    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                    event.preventDefault();
                    go(event.currentTarget.pathname);
                  }}>
                    <b>{session.name || session.session_id}</b>
                    <span className="muted small">{session.status === "active" ? "Open" : capital(session.status)} · begun {instant(session.created_at)}</span>
                  </a>
                </li>
              ))}
            </ul>
            {(role === "preparer" || role === "admin") && <Begin project={project} />}
          </section>
        );
      })}
    </main>
  );
}

function Begin({ project }: { project: string }) {
  const [name, setName] = useState<string>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  if (name === undefined) return <button type="button" className="button" onClick={() => setName("")}>Begin a session…</button>;
  const begin = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await rest.post<SessionDetail>("/sessions", { project_id: project, session_name: name.trim() });
      go(`/sessions/${encodeURIComponent(made.session_id)}?panel=import`);
    } catch (reason) {
      if (!(reason instanceof RestError)) throw reason;
      setError(reason.message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack inline" onSubmit={(event) => void begin(event)}>
      <label htmlFor={`name-${project}`}>Name of the session</label>
      <input id={`name-${project}`} value={name} maxLength={200} placeholder="October close" onChange={(event) => setName(event.target.value)} />
      <span className="actions">
        <button type="submit" className="button primary" disabled={busy || name.trim() === ""}>Begin</button>
        <button type="button" className="button" onClick={() => setName(undefined)}>Cancel</button>
      </span>
      {error && <p className="text-bad" role="alert"><Icon name="conflict" /> {error}</p>}
    </form>
  );
}
