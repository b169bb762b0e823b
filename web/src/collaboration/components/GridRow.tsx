import { memo, useEffect, useRef } from "react";
import { Icon } from "../../ui/Icon";
import { capital, DATES, fieldName, MONEY, value } from "../../ui/format";
import { hue } from "../../ui/people";
import { shown, type Lock, type Member, type RecordView } from "../core";
import { useRecord } from "../hooks";
import { CellEditor, type CellEditorProps } from "./CellEditor";
import { LockMark, StatusBadge, UnsavedMark, useUnsaved } from "./marks";

export interface Editing {
  record_id: string;
  field: string;
  draft: string;
  /** The draft as it was begun; undefined where the person began by typing over what was there. */
  begun: string | undefined;
  /** The field's version when the person began. */
  base_version: number;
}

export interface GridRowProps {
  record_id: string;
  /** Place in the list, from 0; the header is row 1 of the grid. */
  index: number;
  top: number;
  columns: readonly string[];
  /** The active cell's column, if it is in this row. */
  active: number | undefined;
  /** Whether the active cell holds the keyboard. */
  focused: boolean;
  selected: boolean;
  lock: Lock | undefined;
  me: string;
  others: readonly Member[] | undefined;
  editing: Editing | undefined;
  editor: Omit<CellEditorProps, "field" | "draft" | "untouched">;
  onPick: (record_id: string, column: number, edit: boolean) => void;
}

/** One record. It is drawn again when its record changes, not when any other does. */
export const GridRow = memo(function GridRow(props: GridRowProps) {
  const { record_id, index, top, columns, active, focused, selected, lock, me, others, editing, editor, onPick } = props;
  const { record } = useRecord(record_id);
  const unsaved = useUnsaved(record_id);
  if (!record) return null;
  return (
    <div
      role="row"
      className={`row${selected ? " selected" : ""}${lock && lock.holder.user_id !== me ? " locked" : ""}`}
      aria-rowindex={index + 2}
      aria-selected={selected}
      data-record={record_id}
      style={{ transform: `translateY(${top}px)` }}
    >
      {columns.map((field, column) => (
        <Cell
          key={field}
          {...{ record, field, column }}
          active={active === column}
          focused={focused && active === column}
          watching={others?.filter((member) => (member.focus?.field_name ?? "external_id") === field)}
          lock={field === "external_id" ? lock : undefined}
          unsaved={unsaved && field === "external_id"}
          me={me}
          onPick={onPick}
        >
          {editing?.field === field ? <CellEditor field={field} draft={editing.draft} untouched={editing.draft === editing.begun} {...editor} /> : undefined}
        </Cell>
      ))}
    </div>
  );
});

interface CellProps {
  record: RecordView;
  field: string;
  column: number;
  active: boolean;
  focused: boolean;
  watching: readonly Member[] | undefined;
  lock: Lock | undefined;
  unsaved: boolean;
  me: string;
  onPick: GridRowProps["onPick"];
  children: React.ReactNode;
}

const FLASH = 2_000;

function Cell({ record, field, column, active, focused, watching, lock, unsaved, me, onPick, children }: CellProps) {
  const cell = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (focused && !children) cell.current?.focus({ preventScroll: true });
  }, [focused, children]);
  const change = record.changes[field];
  const flashes = change && change.user_id !== me && Date.now() - change.at < FLASH;
  const watcher = watching?.[0];
  const classes = ["cell", MONEY.has(field) ? "number" : "", field in record.pending ? "pending" : "",
    field in record.conflicts ? "in-conflict" : "", watcher ? `watched hue-${hue(watcher.user_id)}` : "",
    children ? "editing" : ""];
  return (
    <div
      ref={cell}
      role="gridcell"
      className={classes.filter(Boolean).join(" ")}
      aria-colindex={column + 1}
      tabIndex={active ? 0 : -1}
      data-field={field}
      onClick={() => onPick(record.record_id, column, false)}
      onDoubleClick={() => {
        if (!children) onPick(record.record_id, column, true); // in an open editor it chooses a word
      }}
    >
      {flashes && <span key={change.seq} className="flash" />}
      {children ?? <Content {...{ record, field }} />}
      {unsaved && <UnsavedMark />}
      {lock && <LockMark lock={lock} mine={lock.holder.user_id === me} />}
      {field in record.conflicts && (
        <span className="conflict-mark"><Icon name="conflict" label="Open conflict" /></span>
      )}
      {watcher && (
        <span className="watcher">
          {watching.map((member) => member.name.split(" ")[0]).join(", ")}
          <span className="visually-hidden"> is here</span>
        </span>
      )}
    </div>
  );
}

function Content({ record, field }: { record: RecordView; field: string }) {
  if (field === "source") return <span className={`side side-${record.source}`}>{capital(record.source)}</span>;
  if (field === "external_id") return <span className="mono opens">{record.external_id}</span>;
  const content = shown(record, field);
  if (field === "status") return <StatusBadge status={String(content ?? "")} />;
  const text = value(field, content);
  return (
    <span className={DATES.has(field) || MONEY.has(field) ? "figures" : "text"} title={text.length > 24 ? text : undefined}>
      {text}
      {field in record.pending && <span className="visually-hidden"> (not saved yet)</span>}
    </span>
  );
}

export const headerName = (field: string): string => (field === "source" ? "Side" : fieldName(field));
