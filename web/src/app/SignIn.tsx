import { useEffect, useState, type FormEvent } from "react";
import { capital } from "../ui/format";
import { Avatar } from "../collaboration/components/marks";
import { alive, signIn, waysToSignIn, type SignInWays } from "./auth";
import { beginOidc } from "./oidc";

export function SignIn({ problem }: { problem?: string }) {
  const [ways, setWays] = useState<SignInWays>();
  const [error, setError] = useState(problem);
  const [draft, setDraft] = useState("");
  useEffect(() => {
    document.title = "Sign in · Reconcile";
    waysToSignIn().then(setWays, () => setError("The server cannot be reached. Reload the page to try again."));
  }, []);
  const use = (event: FormEvent) => {
    event.preventDefault();
    const given = draft.trim();
    if (alive(given)) signIn(given);
    else setError("This is no token, or it has run out. Ask for another: realtime-server token --user … --project … --role …");
  };
  return (
    <main className="sign-in">
      <h1>Reconcile together</h1>
      <p className="muted">Ledger and statement, side by side, with everybody who works on them, live.</p>
      {error && <p className="notice bad" role="alert">{error}</p>}
      {ways?.oidc && (
        <button type="button" className="button primary" onClick={() => {
          beginOidc(ways.oidc!).catch((reason: Error) => setError(`Sign-in could not begin: ${reason.message}`));
        }}>Sign in with your organisation</button>
      )}
      {ways && ways.demonstration.length > 0 && (
        <section aria-label="Demonstration">
          <h2>Demonstration</h2>
          <p className="muted small">Choose who you are. Open a second window as somebody else, and see each other work.</p>
          <ul className="plain people">
            {ways.demonstration.map((person) => (
              <li key={person.user_id}>
                <button type="button" className="person" onClick={() => signIn(person.token)}>
                  <Avatar user_id={person.user_id} name={person.name} />
                  <span><b>{person.name}</b><span className="muted small">{capital(person.role)}</span></span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <details open={ways !== undefined && ways.demonstration.length === 0 && !ways.oidc}>
        <summary>Sign in with a token</summary>
        <form className="stack" onSubmit={use}>
          <label htmlFor="token">Token</label>
          <textarea id="token" rows={4} value={draft} autoComplete="off" spellCheck={false} onChange={(event) => setDraft(event.target.value)} />
          <button type="submit" className="button" disabled={draft.trim() === ""}>Sign in</button>
        </form>
      </details>
    </main>
  );
}
