import { count, fieldName } from "../../ui/format";
import type { Notification } from "../core";

/** A notification in one sentence. `record`: what people call a record. */
export function notificationText(item: Notification, record: (id: string) => string): string {
  const who = item.name || "Somebody";
  const [first] = item.record_ids;
  const about = first === undefined ? "" : record(first);
  const field = item.field_name ? fieldName(item.field_name) : "a field";
  const said = item.text ? `: “${item.text}”` : ".";
  switch (item.kind) {
    case "assigned": return item.records === 1 ? `${who} gave you ${about}.` : `${who} gave you ${count(item.records)} records.`;
    case "mentioned": return `${who} mentions you${about ? ` at ${about}` : ""}${said}`;
    case "conflict": return `${who} set ${field} of ${about} to something else than you: it waits for a decision.`;
    case "conflict_resolved": return `${who} decided ${field} of ${about}, where you had another value${said}`;
    case "lock_taken_over": return `${who} took over ${about}, which you had locked${said}`;
    case "signoff_wanted": return `${who} asks for your signature${said}`;
    case "approved": return `${who} signed off what you prepared${said}`;
    case "rejected": return `${who} sent back what you prepared${said}`;
    case "reopened": return `${who} opened again what you prepared${said}`;
    case "run_finished": return `Your matching run ${ENDED[item.status ?? "completed"]}${said}`;
  }
}

const ENDED = { completed: "is done", failed: "could not go on", cancelled: "was cancelled" };

/** Where a notification leads, as the address has it. */
export function placeOf(item: Notification): Record<string, string | undefined> {
  const [record] = item.record_ids;
  if (item.kind === "conflict") return { panel: "conflicts", ...(record ? { record } : {}) };
  if (item.kind === "run_finished") return { view: "match" };
  if (record !== undefined) return { panel: "record", record };
  return item.kind === "mentioned" ? { panel: "comments" } : {};
}
