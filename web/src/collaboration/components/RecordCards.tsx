import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import { Icon } from "../../ui/Icon";
import { capital, count, value } from "../../ui/format";
import { shown, type Lock, type Member } from "../core";
import { useRecord, useSignal } from "../hooks";
import { useSession } from "../provider";
import { Avatar, LockMark, StatusBadge, UnsavedMark, useFocusIndex, useUnsaved } from "./marks";
import { useWorkspace } from "./workspace";

/** The same records where there is little room: one card each, which opens the full-screen editor. */
export function RecordCards({ ids, onSelect }: { ids: readonly string[]; onSelect: (record_id: string) => void }) {
  const session = useSession();
  const workspace = useWorkspace();
  const locks = useSignal(session.locks);
  const focusIndex = useFocusIndex();
  const scroller = useRef<HTMLDivElement>(null);
  const places = useMemo(() => new Map(ids.map((id, index) => [id, index])), [ids]);
  const virtual = useVirtualizer({
    count: ids.length, getScrollElement: () => scroller.current, estimateSize: () => 92, overscan: 6, getItemKey: (index) => ids[index]!,
  });
  const jump = useSignal(workspace.jump);
  useEffect(() => {
    const place = jump && places.get(jump.record_id);
    if (place === undefined) return;
    virtual.scrollToIndex(place, { align: "center" });
    onSelect(jump!.record_id);
    workspace.jump.set(undefined);
  }, [jump, places, virtual, onSelect, workspace]);
  return (
    <div className="cards" ref={scroller} role="list" aria-label={`${count(ids.length)} records`} tabIndex={0}>
      {ids.length === 0 && <p className="empty">No record fits. Take a filter away to see more.</p>}
      <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="presentation">
        {virtual.getVirtualItems().map(({ index, start }) => {
          const id = ids[index]!;
          return (
            <div key={id} role="listitem" aria-setsize={ids.length} aria-posinset={index + 1} className="card-place" style={{ transform: `translateY(${start}px)` }}>
              <Card record_id={id} lock={locks.get(id)} me={session.user_id} others={focusIndex.get(id)} onSelect={onSelect} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Card({ record_id, lock, me, others, onSelect }: {
  record_id: string; lock: Lock | undefined; me: string; others: readonly Member[] | undefined; onSelect: (id: string) => void;
}) {
  const { record } = useRecord(record_id);
  const unsaved = useUnsaved(record_id);
  if (!record) return null;
  return (
    <button type="button" className="card" data-record={record_id} onClick={() => onSelect(record_id)}>
      <span className="card-top">
        <b className="figures">{value("amount", shown(record, "amount"))} {String(shown(record, "currency") ?? "")}</b>
        <span className="small">{value("date", shown(record, "date"))}</span>
      </span>
      <span className="card-text">{value("description", shown(record, "description")) || record.external_id}</span>
      <span className="card-bottom">
        <StatusBadge status={String(shown(record, "status") ?? "")} />
        <span className="small muted">{capital(record.source)}</span>
        {unsaved && <UnsavedMark />}
        {lock && <LockMark lock={lock} mine={lock.holder.user_id === me} />}
        {Object.keys(record.conflicts).length > 0 && <span className="conflict-mark"><Icon name="conflict" label="Open conflict" /></span>}
        {others?.map((member) => <span key={member.user_id} title={member.name}><Avatar user_id={member.user_id} name={member.name} /><span className="visually-hidden">{member.name} is here</span></span>)}
      </span>
    </button>
  );
}
