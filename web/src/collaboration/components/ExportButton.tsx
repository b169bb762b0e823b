import { useState } from "react";
import { Icon } from "../../ui/Icon";
import { RestError } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { Dialog } from "./Dialog";

const FORMATS = [
  ["zip", "Everything (ZIP)", "with a manifest of hashes"],
  ["html", "Report to print (HTML)", "what was reconciled, what is left, who signed"],
  ["json", "Report for programs (JSON)", "the same as data"],
  ["matches", "Matches (CSV)", "each with its records and reasons"],
  ["exceptions", "Exceptions (CSV)", "what was set aside, and why"],
  ["comments", "Comments (CSV)", "what was said"],
  ["signoffs", "Signatures (CSV)", "who signed, when, in which role"],
  ["audit", "Audit trail (CSV)", "every change, chained by hashes"],
] as const;
const EXPORTERS: ReadonlySet<string> = new Set(["auditor", "reviewer", "approver", "admin"]);

/** The package for those who audit the session, or one part of it, as a file. */
export function ExportButton() {
  const session = useSession();
  const role = useSignal(session.role);
  const [open, setOpen] = useState(false);
  if (role === undefined || !EXPORTERS.has(role)) return null;
  return (
    <>
      <button type="button" className="button" aria-haspopup="dialog" onClick={() => setOpen(true)}><Icon name="download" /> Export…</button>
      {open && <Dialog title="Export" onClose={() => setOpen(false)}><Choose onDone={() => setOpen(false)} /></Dialog>}
    </>
  );
}

function Choose({ onDone }: { onDone: () => void }) {
  const session = useSession();
  const signed = useSignal(session.standing)?.workflow.status === "approved";
  const [format, setFormat] = useState<string>("zip");
  const [state, setState] = useState<{ busy: boolean; error?: string }>({ busy: false });
  const save = async () => {
    setState({ busy: true });
    try {
      const path = `/sessions/${encodeURIComponent(session.session_id)}/export`;
      const response = await session.rest.fetch("GET", path, { format });
      download(await response.blob(), fileName(response) ?? `${session.session_id}-${format}`);
      onDone();
    } catch (error) {
      // The server cuts the connection where it cannot go on: half a file is none.
      setState({ busy: false, error: error instanceof RestError ? error.message : "The file did not come through whole." });
    }
  };
  return (
    <form className="stack" onSubmit={(event) => {
      event.preventDefault();
      void save();
    }}>
      <p className={`notice${signed ? " good" : ""}`}>{signed ? "Signed off: the package says by whom, and proves what was signed." : "Not signed off yet: the package says so."}</p>
      <fieldset>
        <legend>What</legend>
        {FORMATS.map(([key, label, note]) => (
          <label key={key} className={`choice${format === key ? " chosen" : ""}`}>
            <input type="radio" name="format" checked={format === key} onChange={() => setFormat(key)} />
            <span><span>{label}</span><span className="muted small">{note}</span></span>
          </label>
        ))}
      </fieldset>
      {state.error && <p className="notice bad" role="alert">Not exported: {state.error} Try again.</p>}
      <span className="actions">
        <button type="submit" className="button primary" disabled={state.busy}>{state.busy ? "Exporting…" : "Save the file"}</button>
        {state.busy && <progress aria-label="Exporting" />}
      </span>
    </form>
  );
}

/** The name that the server gives the file. */
export function fileName(response: Pick<Response, "headers">): string | undefined {
  const header = response.headers.get("Content-Disposition") ?? "";
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(header)?.[1];
  if (extended) return decodeURIComponent(extended);
  return /filename="?([^";]+)"?/i.exec(header)?.[1];
}

function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
