/**
 * The wire contract as this client uses it. The server's schemas are the one definition; a test compares the two
 * (tests/web/test_contract.py).
 */
export type Value = string | number | boolean | null | string[];
export type Role = "auditor" | "preparer" | "reviewer" | "approver" | "admin";
export type Source = "ledger" | "statement";
export type Strategy = "keep_current" | "take_candidate" | "merge" | "custom";
export type Policy = "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins";
export type SessionStatus = "active" | "ended" | "expired";

export type ErrorCode =
  | "invalid" | "unauthenticated" | "token_expired" | "forbidden" | "not_found" | "not_joined" | "session_full"
  | "session_ended" | "locked" | "lock_lost" | "lock_not_held" | "version_unknown" | "version_stale"
  | "already_resolved" | "frozen" | "separation_of_duties" | "unbalanced" | "reason_required" | "nothing_to_undo"
  | "rate_limited" | "payload_too_large" | "overloaded" | "unavailable" | "internal";

export interface Refusal {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
  retryable: boolean;
}

export type Ack<T> = ({ ok: true } & T) | { ok: false; error: Refusal };

export interface Person { user_id: string; name: string }
export interface Focus { record_id: string; field_name?: string }

export interface Member extends Person {
  role: Role;
  status: "active" | "idle";
  activity: string | null;
  focus: Focus | null;
  last_seen: string;
  connections: number;
}

export interface Lock {
  record_id: string;
  holder: Person;
  token: number;
  acquired_at?: string;
  expires_at: string;
}

export interface Candidate {
  edit_id: string;
  user_id: string;
  value: Value;
  base_version: number;
  edit_reason?: string;
}

export interface Conflict {
  conflict_id: string;
  record_id: string;
  field_name: string;
  policy: Policy;
  opened_at: string;
  base: { version: number; value: Value; known: boolean };
  current: { version: number; value: Value; user_id: string | null };
  candidates: Candidate[];
}

export interface Session {
  session_id: string;
  project_id: string;
  name: string;
  status: SessionStatus;
  created_by: string;
  created_at: string;
  expires_at: string | null;
  field_policies: Record<string, Policy>;
}

/** The matching run; what else the server tells of it is shown as it comes. */
export interface Reconciliation {
  status: string;
  [name: string]: unknown;
}

export interface Envelope {
  message_type: string;
  session_id: string | null;
  project_id: string | null;
  user_id: string;
  timestamp: string;
  seq?: number;
  // The data of each message type is checked by the server's own schema before it is sent.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  data: any;
}
export type Commit = Envelope & { seq: number };

export interface Joined {
  session: Session;
  seq: number;
  role: Role;
  members: Member[];
  locks: Lock[];
  conflicts: Conflict[];
  reconciliation: Reconciliation;
  recovered: boolean;
  commits: Commit[];
}
export interface Synced { seq: number; commits: Commit[]; reset?: boolean }
export interface Edited {
  seq: number;
  status: "applied" | "merged" | "unchanged" | "conflict";
  version: number;
  value?: Value;
  conflict_id?: string;
}
export interface Locked { seq: number; token: number; expires_at: string }

export interface EditRequest {
  session_id: string;
  edit_id: string;
  record_id: string;
  field_name: string;
  new_value: Value;
  base_version: number;
  lock_token?: number;
  edit_reason?: string;
}

export interface RecordRow {
  record_id: string;
  source: Source;
  external_id: string;
  values: Record<string, Value>;
  versions: Record<string, number>;
  conflicts: Record<string, string>;
  seq: number;
}
export interface Page<T> { items: T[]; next_cursor: string | null }
export interface RecordsPage extends Page<RecordRow> { as_of: number }

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
