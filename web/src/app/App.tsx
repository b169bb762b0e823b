import { lazy, Suspense, useEffect, useMemo } from "react";
import { claimsOf, NotificationBook, Rest } from "../collaboration/core";
import { NewsBell } from "../collaboration/components/Notifications";
import { placeOf } from "../collaboration/components/notificationText";
import { useSignal } from "../ui/useSignal";
import { Icon } from "../ui/Icon";
import { go, usePath } from "../ui/url";
import { signOut, token, tokens } from "./auth";
import { Sessions } from "./Sessions";
import { SignIn } from "./SignIn";
import { theme, toggleTheme } from "./theme";

const Session = lazy(() => import("../collaboration/components/RealTimeCollaboration").then((module) => ({ default: module.RealTimeCollaboration })));

export function App({ problem }: { problem?: string | undefined }) {
  const signedIn = useSignal(token);
  const path = usePath();
  if (signedIn === undefined) return <SignIn {...(problem ? { problem } : {})} />;
  const sessionId = /^\/sessions\/([^/]+)$/.exec(path)?.[1];
  if (sessionId === undefined) {
    return (
      <>
        <header className="bar"><span className="brand">Reconcile</span><span className="grow" /><News key={signedIn} /><Me token={signedIn} /></header>
        <Sessions token={signedIn} />
      </>
    );
  }
  const back = (
    <button type="button" className="icon-button" aria-label="All sessions" title="All sessions" onClick={() => go("/")}><Icon name="back" /></button>
  );
  return (
    <Suspense fallback={<p className="empty" role="status">Loading…</p>}>
      <Session sessionId={decoded(sessionId)} token={tokens} before={back} after={<Me token={signedIn} />} onSignIn={signOut} />
    </Suspense>
  );
}

/** A link that somebody typed or cut may be no proper one: then it names a session that is not there. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** What concerns the person in any of their projects, before they enter a session. */
function News() {
  const book = useMemo(() => new NotificationBook(new Rest({ token: tokens.current })), []);
  useEffect(() => void book.load().catch(() => undefined), [book]); // the list says what is wrong when it is opened
  return (
    <NewsBell book={book} record={(id) => id.replace(/^(ledger|statement):/, "")}
      onOpen={(item) => go(`/sessions/${encodeURIComponent(item.session_id)}?${new URLSearchParams(placeOf(item) as Record<string, string>)}`)} />
  );
}

function Me({ token: current }: { token: string }) {
  const name = claimsOf(current)?.name ?? "";
  const now = useSignal(theme);
  return (
    <span className="me">
      <span className="my-name" title="You">{name}</span>
      <button type="button" className="icon-button" aria-label={now === "dark" ? "Light colours" : "Dark colours"} title={now === "dark" ? "Light colours" : "Dark colours"} onClick={toggleTheme}><Icon name="theme" /></button>
      <button type="button" className="icon-button" aria-label="Sign out" title="Sign out" onClick={signOut}><Icon name="exit" /></button>
    </span>
  );
}
