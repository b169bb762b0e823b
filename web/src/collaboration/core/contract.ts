/**
 * The wire contract as this client uses it: the types that are generated from the server's schemas, under the names of
 * this side. Envelopes come in one union there; here their data is read by message type, so it stays open.
 */
import type * as contract from "../../../../docs/contract/types";

export type Value = contract.JsonValue;
export type Refusal = contract.Error;
export type ErrorCode = Refusal["code"];
export type Ack<T> = ({ ok: true } & T) | { ok: false; error: Refusal };

export type {
  Analytics, Candidate, Durations, EditCounts, Focus, Member, Person, Place, RecordsPage, Session, SessionDetail,
  DryRun, ImportDone, Notification, NotificationsPage, ProjectRules, ReadDone, RowRefused, Rule, RulesDone, SessionRules, Settings, Unread, SessionListed, SessionsPage, SignOff, StatePage, User, Users, Candidates,
} from "../../../../docs/contract/types";
export type Role = contract.Member["role"];
export type Source = contract.RecordView["source"];
export type Strategy = contract.Resolve["strategy"];
/** A clash that is about to happen, told to the two it concerns. */
export type Overlap = contract.PresenceOverlap;
export type Suggestion = contract.Suggestion;
export type Policy = contract.ConflictView["policy"];
export type SessionStatus = contract.Session["status"];
export type Conflict = contract.ConflictView;
export type Lock = Omit<contract.LockView, "acquired_at"> & { acquired_at?: string };
export type RecordRow = contract.RecordView;
export type EditRequest = contract.Edit;

/** The matching run; before the first answer only its status is known. */
export type Reconciliation = Partial<contract.Reconciliation> & Pick<contract.Reconciliation, "status">;
/** How the reconciliation stands: the answer to `reconciliation_status`. */
export type Standing = Omit<contract.Status, "ok">;
export type BulkDone = Omit<contract.BulkDone, "ok">;
/** A match as commits tell of it; `status` null: it does not stand any more. */
export type MatchEntry = contract.MatchChange;

export interface Envelope {
  message_type: string;
  session_id: string | null;
  project_id: string | null;
  user_id: string;
  timestamp: string;
  seq?: number;
  // The server checks each type's data by its own schema before it is sent.
  data: any;
}
export type Commit = Envelope & { seq: number };

export type Joined = Omit<contract.Joined, "ok" | "commits"> & { commits: Commit[] };
export type Synced = Omit<contract.Synced, "ok" | "commits"> & { commits: Commit[] };
export type Edited = Omit<contract.Edited, "ok">;
export type Locked = Omit<contract.Locked, "ok">;
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
export interface HistoryPage extends Page<Commit> {
  as_of: number;
}

export interface Comment {
  comment_id: string;
  record_id: string | null;
  parent_id: string | null;
  text: string;
  mentions: string[];
  user_id: string;
  name: string;
  at: string;
  resolved: boolean;
}
