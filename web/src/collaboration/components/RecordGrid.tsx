import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { count, MONEY, time } from "../../ui/format";
import { shown } from "../core";
import { useSignal } from "../hooks";
import { useSession } from "../provider";
import { draftOf, parsed } from "./CellEditor";
import { GridRow, headerName, type Editing } from "./GridRow";
import { useFocusIndex } from "./marks";
import { READ_ONLY, useFields } from "./rows";
import { useWorkspace } from "./workspace";

const ROW_HEIGHT = 36;
const WIDTHS: Record<string, string> = {
  external_id: "minmax(200px, 1fr)", source: "116px", date: "138px", amount: "124px", currency: "72px",
  description: "minmax(220px, 2.4fr)", reference: "minmax(120px, 1fr)", status: "126px",
};

export interface RecordGridProps {
  ids: readonly string[];
  sort: string | undefined;
  onSort: (sort: string | undefined) => void;
  selected: string | undefined;
  /** `show`: the person wants to see the record by itself. */
  onSelect: (record_id: string, show?: boolean) => void;
  readOnly: boolean;
}

/** All listed records, of which only those in view are drawn. By keyboard as the ARIA grid pattern has it. */
export function RecordGrid({ ids, sort, onSort, selected, onSelect, readOnly }: RecordGridProps) {
  const session = useSession();
  const workspace = useWorkspace();
  const fields = useFields();
  const columns = useMemo(() => ["external_id", "source", ...fields], [fields]);
  const locks = useSignal(session.locks);
  const focusIndex = useFocusIndex();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<{ record_id: string; column: number }>();
  const [focused, setFocused] = useState(false);
  const [editing, setEditing] = useState<Editing>();
  const places = useMemo(() => new Map(ids.map((id, index) => [id, index])), [ids]);
  const virtual = useVirtualizer({
    count: ids.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
    useFlushSync: false,
    getItemKey: (index) => ids[index]!,
  });

  const moveTo = useCallback(
    (record_id: string, column: number) => {
      const place = places.get(record_id);
      if (place === undefined) return;
      setActive({ record_id, column });
      setFocused(true);
      virtual.scrollToIndex(place, { align: "auto" });
      scroller.current?.querySelector(`[aria-colindex="${column + 1}"]`)?.scrollIntoView({ inline: "nearest", block: "nearest" });
      session.presence.say({ focus: { record_id, field_name: columns[column]! } });
    },
    [places, virtual, session, columns],
  );

  const jump = useSignal(workspace.jump);
  useEffect(() => {
    if (!jump || !places.has(jump.record_id)) return;
    moveTo(jump.record_id, Math.max(0, columns.indexOf(jump.field_name ?? "external_id")));
    workspace.jump.set(undefined);
  }, [jump, places, columns, moveTo, workspace]);

  const mayEdit = useCallback(
    (record_id: string, field: string) => {
      if (readOnly || READ_ONLY.has(field)) return false;
      const lock = session.locks.get().get(record_id);
      if (!lock || lock.holder.user_id === session.user_id) return true;
      workspace.toast("info", `${lock.holder.name} is editing this record until ${time(lock.expires_at)}.`);
      return false;
    },
    [readOnly, session, workspace],
  );

  const beginEdit = useCallback(
    (record_id: string, column: number, typed?: string) => {
      const record = session.records.get(record_id);
      const field = columns[column]!;
      if (!record || !mayEdit(record_id, field)) return;
      const others = [...session.members.get().values()].filter(({ user_id, focus, activity }) =>
        user_id !== session.user_id && activity === "editing" && focus?.record_id === record_id && focus.field_name === field);
      if (others.length > 0) {
        workspace.warn(`${record_id} ${field}`, `${others.map(({ name }) => name).join(" and ")} is editing this field too: two different values will have to be decided between.`);
      }
      const begun = typed === undefined ? draftOf(field, shown(record, field)) : undefined;
      setEditing({ record_id, field, draft: typed ?? begun ?? "", begun, base_version: record.versions[field] ?? 0 });
      session.presence.say({ activity: "editing" });
    },
    [session, workspace, columns, mayEdit],
  );

  const endEdit = useCallback(() => {
    setEditing(undefined);
    session.presence.say({ activity: null });
  }, [session]);

  const commit = useCallback(
    (move: "stay" | "down" | "next" | "previous") => {
      if (!editing) return;
      const { record_id, field, draft, begun, base_version } = editing;
      const before = session.records.get(record_id);
      // What was only looked at is no change, even if somebody else has set the field meanwhile.
      if (before && draft !== begun) session.edits.edit(record_id, field, parsed(field, draft, shown(before, field)), { base_version });
      endEdit();
      const place = places.get(record_id);
      const column = columns.indexOf(field);
      if (move === "down" && place !== undefined) moveTo(ids[Math.min(place + 1, ids.length - 1)]!, column);
      else if (move === "next") moveTo(record_id, Math.min(column + 1, columns.length - 1));
      else if (move === "previous") moveTo(record_id, Math.max(column - 1, 0));
    },
    [editing, session, endEdit, places, columns, ids, moveTo],
  );

  // A cell that is scrolled out of view is removed with the keyboard in it, and React tells nobody of that: where the
  // keyboard goes next says that it has left.
  useEffect(() => {
    const follow = ({ target }: FocusEvent) => {
      if (!scroller.current?.contains(target as Node)) setFocused(false);
      if (!scroller.current?.querySelector(".cell-input")) commit("stay");
    };
    document.addEventListener("focusin", follow);
    return () => document.removeEventListener("focusin", follow);
  }, [commit]);

  const editor = useMemo(
    () => ({
      onDraft: (draft: string) => setEditing((current) => current && { ...current, draft }),
      onCommit: commit,
      onCancel: () => {
        endEdit();
        setFocused(true);
      },
    }),
    [commit, endEdit],
  );

  const onPick = useCallback(
    (record_id: string, column: number, edit: boolean) => {
      moveTo(record_id, column);
      onSelect(record_id, columns[column] === "external_id");
      if (edit) beginEdit(record_id, column);
    },
    [moveTo, onSelect, beginEdit, columns],
  );

  const current = active ?? (ids[0] === undefined ? undefined : { record_id: ids[0], column: 0 });
  const keys = (event: KeyboardEvent) => {
    if (!current || event.altKey) return;
    const place = places.get(current.record_id) ?? 0;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / ROW_HEIGHT) - 2);
    const jumpKey = event.ctrlKey || event.metaKey;
    const to = (row: number, column = current.column) => {
      const target = ids[Math.max(0, Math.min(row, ids.length - 1))];
      if (target !== undefined) moveTo(target, Math.max(0, Math.min(column, columns.length - 1)));
    };
    if (event.key === "ArrowDown") to(jumpKey ? ids.length - 1 : place + 1);
    else if (event.key === "ArrowUp") to(jumpKey ? 0 : place - 1);
    else if (event.key === "ArrowRight") to(place, jumpKey ? columns.length - 1 : current.column + 1);
    else if (event.key === "ArrowLeft") to(place, jumpKey ? 0 : current.column - 1);
    else if (event.key === "Home") to(jumpKey ? 0 : place, 0);
    else if (event.key === "End") to(jumpKey ? ids.length - 1 : place, columns.length - 1);
    else if (event.key === "PageDown") to(place + page);
    else if (event.key === "PageUp") to(place - page);
    else if (event.key === "F2") beginEdit(current.record_id, current.column);
    else if (event.key === "Enter") {
      if (READ_ONLY.has(columns[current.column]!)) onSelect(current.record_id);
      else beginEdit(current.record_id, current.column);
    } else if (event.key === " ") onSelect(current.record_id);
    else if (event.key.length === 1 && !jumpKey && !["status", "date"].includes(columns[current.column]!)) {
      beginEdit(current.record_id, current.column, event.key);
    } else return;
    event.preventDefault();
  };

  const template = columns.map((field) => WIDTHS[field] ?? "minmax(120px, 1fr)").join(" ");
  return (
    <>
    <div
      className="grid-scroller"
      ref={scroller}
      role="grid"
      aria-label="Records"
      aria-rowcount={ids.length + 1}
      aria-colcount={columns.length}
      aria-readonly={readOnly}
      style={{ "--columns": template } as React.CSSProperties}
      onKeyDown={keys}
      onFocus={() => setFocused(true)}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setFocused(false);
      }}
    >
      <div role="row" aria-rowindex={1} className="row header">
        {columns.map((field, column) => {
          const direction = sort === field ? "ascending" : sort === `-${field}` ? "descending" : undefined;
          return (
            <div key={field} role="columnheader" aria-colindex={column + 1} aria-sort={direction ?? "none"} className={MONEY.has(field) ? "cell number" : "cell"}>
              <button
                type="button"
                tabIndex={-1}
                onClick={() => onSort(direction === "ascending" ? `-${field}` : direction === "descending" ? undefined : field)}
              >
                {headerName(field)}
              </button>
            </div>
          );
        })}
      </div>
      <div role="rowgroup" className="rows" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const record_id = ids[index]!;
          const isActive = current?.record_id === record_id;
          return (
            <GridRow
              key={record_id}
              {...{ record_id, index, columns, editor, onPick }}
              top={start}
              active={isActive ? current.column : undefined}
              focused={isActive && focused && active !== undefined}
              selected={selected === record_id}
              lock={locks.get(record_id)}
              me={session.user_id}
              others={focusIndex.get(record_id)}
              editing={editing?.record_id === record_id ? editing : undefined}
            />
          );
        })}
      </div>
    </div>
    {ids.length === 0 && <p className="empty over">No record fits. Take a filter away to see more.</p>}
    <p className="visually-hidden" role="status">{count(ids.length)} records listed</p>
    </>
  );
}
