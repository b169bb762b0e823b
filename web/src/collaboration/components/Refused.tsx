import type { ReactNode } from "react";
import { useSyncStatus } from "../hooks";

const WHAT_TO_DO: Record<string, string> = {
  token_expired: "Your sign-in has run out. Sign in again; what you have not sent yet waits on this device.",
  unauthenticated: "The server does not know your sign-in. Sign in again.",
  forbidden: "You are not a member of this session’s project. Ask its administrator to add you.",
  not_found: "There is no such session. Perhaps the link is old: go back to the list of sessions.",
};

/** Instead of a session: why it could not be entered. */
export function Refused({ onSignIn, before }: { onSignIn?: () => void; before: ReactNode }) {
  const { connection } = useSyncStatus();
  const { error } = connection;
  return (
    <main className="refused">
      <h1>You could not enter</h1>
      <p role="status">{error ? (WHAT_TO_DO[error.code] ?? error.message) : "Trying again…"}</p>
      <p className="actions"><WaysIn {...(onSignIn ? { onSignIn } : {})} />{before}</p>
    </main>
  );
}

/** What helps against a refusal. */
function WaysIn({ onSignIn }: { onSignIn?: () => void }) {
  const { connection, retry } = useSyncStatus();
  const unknown = ["token_expired", "unauthenticated"].includes(connection.error?.code ?? "");
  return (
    <>
      {onSignIn && unknown && <button type="button" className="button primary" onClick={onSignIn}>Sign in</button>}{" "}
      <button type="button" className="button" onClick={retry}>Try again</button>
    </>
  );
}

/** Over a session whose person's sign-in has run out: they keep in view what they have read and begun. */
export function RanOut({ onSignIn }: { onSignIn?: () => void }) {
  return <p className="notice bad banner urgent" role="alert">{WHAT_TO_DO.token_expired} <WaysIn {...(onSignIn ? { onSignIn } : {})} /></p>;
}
