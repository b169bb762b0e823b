import { useState } from "react";
import { useOthers, useSignal } from "../hooks";
import { useSession } from "../provider";
import { capital, fieldName } from "../../ui/format";
import type { Member, RecordView } from "../core";
import { Dialog } from "./Dialog";
import { Avatar } from "./marks";
import { useWorkspace } from "./workspace";

const SHOWN = 6;

export function doing(member: Member, record: RecordView | undefined): string {
  const what = member.status === "idle" ? "idle" : (member.activity ?? "here");
  if (!member.focus) return what;
  const place = record?.external_id ?? member.focus.record_id;
  const field = member.focus.field_name && member.focus.field_name !== "external_id" ? `, ${fieldName(member.focus.field_name)}` : "";
  return `${what === "here" ? "at" : `${what} at`} ${place}${field}`;
}

/** Who else is here, what they do and where. Choosing somebody goes to where they are. */
export function UserPresence() {
  const session = useSession();
  const others = useOthers();
  const workspace = useWorkspace();
  const role = useSignal(session.role);
  const [all, setAll] = useState(false);
  const record = (member: Member) => (member.focus ? session.records.get(member.focus.record_id) : undefined);
  const go = (member: Member) => {
    setAll(false);
    if (member.focus) workspace.jump.set(member.focus);
    else workspace.toast("info", `${member.name} is here, but not at any record.`);
  };
  return (
    <div className="presence" role="group" aria-label="People here">
      {others.length === 0 && <span className="muted small">Only you are here{role ? ` (${role})` : ""}</span>}
      {others.slice(0, SHOWN).map((member) => {
        const text = `${member.name}, ${member.role}: ${doing(member, record(member))}`;
        return (
          <button key={member.user_id} type="button" className="avatar-button" title={text} aria-label={`${text}. Go there.`} onClick={() => go(member)}>
            <Avatar user_id={member.user_id} name={member.name} idle={member.status === "idle"} />
          </button>
        );
      })}
      {others.length > SHOWN && (
        <button type="button" className="link" aria-haspopup="dialog" aria-label={`All ${others.length} who are here`} onClick={() => setAll(true)}>+{others.length - SHOWN}</button>
      )}
      {all && (
        <Dialog title={`${others.length} others are here`} onClose={() => setAll(false)}>
          <ul className="plain people">
            {others.map((member) => (
              <li key={member.user_id}>
                <button type="button" className="person" onClick={() => go(member)}>
                  <Avatar user_id={member.user_id} name={member.name} idle={member.status === "idle"} />
                  <span><b>{member.name}</b><span className="muted small">{capital(member.role)} · {doing(member, record(member))}</span></span>
                </button>
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </div>
  );
}
