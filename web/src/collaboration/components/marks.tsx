import { useMemo } from "react";
import { Icon } from "../../ui/Icon";
import { capital, count, time } from "../../ui/format";
import { hue, initials } from "../../ui/people";
import type { Lock, Member } from "../core";
import { useSelected, useSignal } from "../hooks";
import { useSession } from "../provider";

/** The sign before the word comes from the style sheet: neither colour nor sign stands alone. */
export function StatusBadge({ status }: { status: string }) {
  return <span className={`badge status-${status}`}>{capital(status)}</span>;
}

export function Avatar({ user_id, name, idle = false }: { user_id: string; name: string; idle?: boolean }) {
  return (
    <span className={`avatar hue-${hue(user_id)}${idle ? " idle" : ""}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

export function LockMark({ lock, mine }: { lock: Lock; mine: boolean }) {
  const until = time(lock.expires_at);
  const label = mine ? `Locked by you until ${until}` : `Locked by ${lock.holder.name} until ${until}`;
  return (
    <span className={`lock-mark${mine ? " mine" : ""}`} title={label}>
      <Icon name="lock" />
      <span className="lock-text">
        <span className="visually-hidden">Locked by </span>
        {mine ? "you" : lock.holder.name.split(" ")[0]} <span className="visually-hidden">until</span> {until}
      </span>
    </span>
  );
}

/** Whether this person has changed fields of a record and not saved them. */
export function useUnsaved(record_id: string): boolean {
  const session = useSession();
  return useSelected(session.drafts.fields.all, (all) => all.has(record_id));
}

export const UnsavedMark = () => <span className="unsaved" title="You have changed this record and not saved it">Unsaved</span>;

/** The way to what a person has changed and not saved where the list leaves the record out; nothing where it does not. */
export function UnlistedUnsaved({ ids, onSelect }: { ids: readonly string[]; onSelect: (record_id: string) => void }) {
  const session = useSession();
  const drafts = useSignal(session.drafts.fields.all);
  useSignal(session.records.size); // a record that is not loaded yet can be opened once it is
  const left = useMemo(() => {
    if (drafts.size === 0) return [];
    const listed = new Set(ids);
    return [...drafts.keys()].filter((id) => !listed.has(id));
  }, [drafts, ids]).filter((id) => session.records.get(id));
  if (left.length === 0) return null;
  return (
    <button type="button" className="button" title="You have changed them and not saved it. Opens the first" onClick={() => onSelect(left[0]!)}>
      {count(left.length)} unsaved, not listed
    </button>
  );
}

/** Who looks at which record. */
export function useFocusIndex(): ReadonlyMap<string, readonly Member[]> {
  const session = useSession();
  const members = useSignal(session.members);
  return useMemo(() => {
    const index = new Map<string, Member[]>();
    for (const member of members.values()) {
      if (member.user_id === session.user_id || !member.focus) continue;
      index.set(member.focus.record_id, [...(index.get(member.focus.record_id) ?? []), member]);
    }
    return index;
  }, [members, session]);
}

export function useName(): (user_id: string) => string {
  const session = useSession();
  const names = useSignal(session.names);
  return (user_id) => (user_id === session.user_id ? "You" : user_id === "system" ? "The server" : (names.get(user_id) ?? user_id));
}
