import { useState, type FormEvent } from "react";
import { capital, count, fieldName } from "../../ui/format";
import { RestError, type ImportDone, type RowRefused, type Source } from "../core";
import { useSession } from "../provider";
import { decode, preview, type Preview } from "./csv";

/** What a column can be told to be; others keep their name. */
const FIELDS = ["external_id", "date", "amount", "debit", "credit", "currency", "description", "reference"];
/** Bytes of a file's beginning, in which its header is looked for. */
const HEAD = 65_536;
const FILES = ".csv,.tsv,.txt,.jsonl,.ndjson,.ofx,.qfx,.xml,.sta,.mt940,.940";

async function beginning(file: File): Promise<string> {
  return decode(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()), file.size > HEAD);
}

/** A file of records into the session: choose it, say which column is which, see what became of every row. */
export default function ImportRecords() {
  const session = useSession();
  const [file, setFile] = useState<File>();
  const [seen, setSeen] = useState<Preview>();
  const [mapping, setMapping] = useState<Record<string, string>>({});
  const [source, setSource] = useState<Source>("ledger");
  const [strict, setStrict] = useState(false);
  const [save, setSave] = useState(true);
  const [state, setState] = useState<{ busy: boolean; done?: ImportDone; error?: string; errors?: RowRefused[] }>({ busy: false });

  const choose = async (chosen: File | undefined) => {
    setFile(chosen);
    setState({ busy: false });
    setSeen(chosen && /\.(csv|txt|tsv)$/i.test(chosen.name) ? preview(await beginning(chosen)) : undefined);
    setMapping({});
    if (chosen && /statement|bank/i.test(chosen.name)) setSource("statement");
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!file) return;
    setState({ busy: true });
    try {
      const columns = Object.fromEntries(Object.entries(mapping).filter(([, field]) => field).map(([column, field]) => [field, column]));
      const mapped = Object.keys(columns).length > 0;
      const lines = /\.(jsonl|ndjson)$/i.test(file.name);
      const done = await session.rest.post<ImportDone>(
        `/sessions/${encodeURIComponent(session.session_id)}/records`, file,
        // Of any other file the server finds out by itself what it is.
        { "Content-Type": lines ? "application/x-ndjson" : "application/octet-stream" },
        {
          source,
          ...(strict ? { all_or_nothing: "true" } : {}),
          ...(mapped ? { mapping: JSON.stringify({ columns }), ...(save ? { save_mapping: "true" } : {}) } : {}),
        },
      );
      setState({ busy: false, done, errors: done.errors });
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      const errors = error.refusal.details?.errors as RowRefused[] | undefined;
      setState({ busy: false, error: error.message, ...(errors ? { errors } : {}) });
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void send(event)}>
      <label htmlFor="import-file">File (CSV, a bank’s OFX, CAMT.053 or MT940, or JSON lines)</label>
      <input id="import-file" type="file" accept={FILES} onChange={(event) => void choose(event.target.files?.[0])} />
      <label htmlFor="import-source">Which side</label>
      <select id="import-source" value={source} onChange={(event) => setSource(event.target.value as Source)}>
        <option value="ledger">Ledger</option>
        <option value="statement">Statement</option>
      </select>
      {seen && (
        <fieldset>
          <legend>Columns</legend>
          <p className="muted small">What is left at “as named” is read as this project saved it, or recognised by its name.</p>
          <div className="scroll-x" tabIndex={0} role="group" aria-label="Columns of the file">
            <table className="mapping">
              <thead><tr>{seen.header.map((name, column) => (
                <th key={column} scope="col">
                  <span className="stack"><label htmlFor={`column-${column}`}>{name || `Column ${column + 1}`}</label>
                    <select id={`column-${column}`} value={mapping[name] ?? ""} onChange={(event) => setMapping({ ...mapping, [name]: event.target.value })}>
                      <option value="">as named</option>
                      {FIELDS.map((field) => <option key={field} value={field}>{fieldName(field)}</option>)}
                    </select>
                  </span>
                </th>
              ))}</tr></thead>
              <tbody>{seen.rows.slice(0, 3).map((row, n) => <tr key={n}>{seen.header.map((_, column) => <td key={column}>{row[column]}</td>)}</tr>)}</tbody>
            </table>
          </div>
          <label className="check"><input type="checkbox" checked={save} onChange={(event) => setSave(event.target.checked)} /> Remember this for the project’s next files</label>
        </fieldset>
      )}
      <label className="check"><input type="checkbox" checked={strict} onChange={(event) => setStrict(event.target.checked)} /> Import nothing if any row is wrong</label>
      <button type="submit" className="button primary" disabled={!file || state.busy}>{state.busy ? "Importing…" : "Import"}</button>
      {state.busy && <progress aria-label="Importing" />}
      {state.error && <p className="notice bad" role="alert">{state.error}</p>}
      {state.done && (
        <p className="notice good" role="status">
          {count(state.done.rows)} rows: {(["new", "changed", "unchanged", "conflicting", "kept", "refused"] as const)
            .filter((name) => state.done![name] > 0).map((name) => `${count(state.done![name])} ${name}`).join(", ")}.
        </p>
      )}
      {state.errors && state.errors.length > 0 && (
        <div className="scroll-x" tabIndex={0} role="group" aria-label="Rows that could not be taken">
          <table className="mapping">
            <thead><tr><th scope="col">Line</th><th scope="col">Field</th><th scope="col">What is wrong</th></tr></thead>
            <tbody>{state.errors.slice(0, 100).map((row) => (
              <tr key={`${row.line} ${row.field}`}><td>{count(row.line)}</td><td>{row.field ? fieldName(row.field) : "–"}</td><td>{capital(row.message)}</td></tr>
            ))}</tbody>
          </table>
        </div>
      )}
    </form>
  );
}
