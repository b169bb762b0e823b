// Generated from the server's schemas by `python -m realtime_server.documents`. Do not edit.

/** Any JSON value. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

/** The new token does not name the session's project any more; the session was left. */
export type AccessRevoked = Record<string, never>;

/** What was done by one person, or on one day. */
export interface Activities {
  /** Commits in all. */
  commits: number;
  /** Commits that set fields. */
  edits: number;
  /** Edits that clashed and became candidates. */
  conflicts: number;
  /** Conflicts decided. */
  resolutions: number;
  /** Locks taken. */
  locks: number;
  /** Locks taken over. */
  takeovers: number;
  /** Comments. */
  comments: number;
}

/** What a person is doing. */
export interface Activity {
  /** What the person is doing; null clears. */
  activity: string | null;
  /** Whether the person is there. */
  status?: "active" | "idle";
  /** Where the person is; null clears. */
  focus?: Focus | null;
}

/** What a session's log says of the work in it. */
export interface Analytics {
  /** The newest commit that is counted. */
  as_of: number;
  /** Edits. */
  edits: EditCounts;
  /** Conflicts. */
  conflicts: ConflictCounts;
  /** Locks. */
  locks: LockCounts;
  /** By person; `system` for what happened by itself. */
  by_user: Record<string, Activities>;
  /** By day, in UTC. */
  by_day: Record<string, Activities>;
}

/** A new token of the same person, on the open connection. */
export interface Authenticate {
  /** A JSON Web Token. */
  token: string;
}

/** The new token holds. */
export interface Authenticated {
  /** Always true. */
  ok: true;
  /** When it expires. */
  expires_at: string;
}

/** All edits were applied. */
export interface BatchEdited {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** What became of them. */
  status: "applied" | "unchanged";
  /** For each edit, its field's version now. */
  versions: number[];
}

/** An edit that clashed, kept until the conflict is resolved. */
export interface Candidate {
  /** The edit. */
  edit_id: string;
  /** Its author. */
  user_id: string;
  /** What it would set. */
  value: JsonValue;
  /** The version its author had seen. */
  base_version: number;
  /** Why. */
  edit_reason?: string;
}

/** Comment on the session, on a record, or on a comment. */
export interface Comment {
  /** The session. */
  session_id: string;
  /** The comment. */
  text: string;
  /** The record. */
  record_id?: string;
  /** The comment that this one answers. */
  parent_id?: string;
  /** People mentioned. */
  mentions?: string[];
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** Somebody commented. */
export interface CommentAdded {
  /** The comment. */
  comment_id: string;
  /** The record. */
  record_id: string | null;
  /** The comment that this one answers. */
  parent_id: string | null;
  /** The comment. */
  text: string;
  /** People mentioned. */
  mentions: string[];
  /** The person's name. */
  name: string;
}

/** `comment.added`: Somebody commented. */
export interface CommentAddedEnvelope {
  message_type: "comment.added";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: CommentAdded;
}

/** Comment on the session, on a record, or on a comment. */
export interface CommentBody {
  /** The comment. */
  text: string;
  /** The record. */
  record_id?: string;
  /** The comment that this one answers. */
  parent_id?: string;
  /** People mentioned. */
  mentions?: string[];
}

/** The comment's id. */
export interface CommentMade {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The comment. */
  comment_id: string;
}

/** A comment was settled. */
export interface CommentResolved {
  /** The comment. */
  comment_id: string;
  /** The record. */
  record_id: string | null;
}

/** `comment.resolved`: A comment was settled. */
export interface CommentResolvedEnvelope {
  message_type: "comment.resolved";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: CommentResolved;
}

/** The comment's id. */
export interface Commented {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The comment. */
  comment_id: string;
}

/** Fulfilled by the commit with this `seq`, or as things stood at it. */
export interface CommitDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
}

/** Clashes, and how they ended. */
export interface ConflictCounts {
  /** Conflicts that opened. */
  detected: number;
  /** Edits kept as candidates. */
  candidates: number;
  /** Open now. */
  open: number;
  /** Decided. */
  resolved: number;
  /** Opened, by what the field holds. */
  by_type: Record<string, number>;
  /** Opened, by the field's policy. */
  by_policy: Record<string, number>;
  /** Clashes that merged by themselves. */
  automatic: number;
  /** Decided by people, by strategy. */
  by_strategy: Record<string, number>;
  /** Of all clashes, the part that is settled, by itself or by people; null without any. */
  share_resolved: number | null;
  /** From a conflict's opening to its end. */
  time_to_resolve: Durations;
}

/** The conflict is closed. */
export interface ConflictDecided {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The field's version now. */
  version: number;
  /** What the field holds now. */
  value: JsonValue;
}

/** People disagree on a field; it keeps its value until somebody resolves the conflict. */
export interface ConflictDetected {
  /** The conflict. */
  conflict_id: string;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** The field's policy. */
  policy: "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins";
  /** What the edit's author had seen. */
  base: FieldBase;
  /** What the field holds. */
  current: FieldNow;
  /** The edits to choose from. */
  candidates: Candidate[];
}

/** `conflict.detected`: People disagree on a field; it keeps its value until somebody resolves the conflict. */
export interface ConflictDetectedEnvelope {
  message_type: "conflict.detected";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: ConflictDetected;
}

/** A conflict, open or decided. `current` is what the field held when the last candidate came. */
export interface ConflictEntry {
  /** The conflict. */
  conflict_id: string;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** The field's policy. */
  policy: "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins";
  /** When it was detected. */
  opened_at: string;
  /** What the first candidate's author had seen. */
  base: FieldBase;
  /** What the field holds. */
  current: FieldNow;
  /** The edits to choose from. */
  candidates: Candidate[];
  /** Whether it is open. */
  status: "open" | "resolved";
  /** How it was decided; null while it is open. */
  resolution: Resolution | null;
}

/** One more edit clashed. */
export interface ConflictExtended {
  /** The conflict. */
  conflict_id: string;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** What the field holds. */
  current: FieldNow;
  /** The edit. */
  candidate: Candidate;
}

/** `conflict.extended`: One more edit clashed. */
export interface ConflictExtendedEnvelope {
  message_type: "conflict.extended";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: ConflictExtended;
}

/** A conflict was decided, and the field set. */
export interface ConflictResolved {
  /** The conflict. */
  conflict_id: string;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** How. */
  strategy: "keep_current" | "take_candidate" | "merge" | "custom";
  /** What the field held before. */
  old_value: JsonValue;
  /** What it holds now. */
  new_value: JsonValue;
  /** The field's version from now on: the commit's `seq`. */
  version: number;
  /** How many candidates there were. */
  candidates: number;
  /** The candidate that was meant. */
  edit_id?: string;
  /** Why. */
  reason?: string;
}

/** `conflict.resolved`: A conflict was decided, and the field set. */
export interface ConflictResolvedEnvelope {
  message_type: "conflict.resolved";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: ConflictResolved;
}

/** An open conflict. */
export interface ConflictView {
  /** The conflict. */
  conflict_id: string;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** The field's policy. */
  policy: "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins";
  /** When it was detected. */
  opened_at: string;
  /** What the first candidate's author had seen. */
  base: FieldBase;
  /** What the field holds. */
  current: FieldNow;
  /** The edits to choose from. */
  candidates: Candidate[];
}

/** Conflicts, oldest first; of decided ones the newest 10,000. */
export interface ConflictsPage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The conflicts. */
  items: ConflictEntry[];
  /** The session's newest commit. */
  as_of: number;
}

/** The `auth` object of a connection. */
export interface ConnectAuth {
  /** A JSON Web Token. Also taken from an `Authorization: Bearer` header. */
  token?: string;
  /** `named`: broadcasts come under their family's event name. `message`: all under the one name `message`. */
  envelope?: "named" | "message";
}

/** A new session. */
export interface CreateSession {
  /** The project whose members may enter. */
  project_id: string;
  /** The session's name. */
  session_name?: string;
  /** Seconds without activity after which it expires; without it, as the server is set up. */
  expires_in?: number;
  /** Fields whose policy differs from what their type implies. */
  field_policies?: Record<string, "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins">;
}

/** The answer to a request that was fulfilled. */
export interface Done {
  /** Always true. */
  ok: true;
}

/** A distribution of durations, each within 2 % of the exact value. Null where nothing was measured. */
export interface Durations {
  /** How many. */
  count: number;
  /** Seconds. */
  median: number | null;
  /** Seconds. */
  p95: number | null;
  /** Seconds. */
  longest: number | null;
}

/** Set one field of a record. */
export interface Edit {
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** Text, number, true, false, null or a list of texts. Amounts are decimal texts. */
  new_value: JsonValue;
  /** The field's version that the author saw; 0 as imported. */
  base_version: number;
  /** The token of one's own lock; the edit is refused once that lock is gone. */
  lock_token?: number;
  /** The session. */
  session_id: string;
  /** Chosen by the client; sending it again is harmless. */
  edit_id: string;
  /** Why; kept in the audit trail. */
  edit_reason?: string;
}

/** A field was set. */
export interface EditApplied {
  /** The edit. */
  edit_id: string;
  /** Why. */
  edit_reason?: string;
  /** This took back the commit with this `seq`. */
  undo_of?: number;
  /** This did again what the undo with this `seq` took back. */
  redo_of?: number;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** What the field held before. */
  old_value: JsonValue;
  /** What it holds now. */
  new_value: JsonValue;
  /** The version that the author had seen. */
  base_version: number;
  /** The version whose value an undo or redo brought back. */
  restored_version?: number;
  /** The field's version from now on: the commit's `seq`. */
  version: number;
}

/** `edit.applied`: A field was set. */
export interface EditAppliedEnvelope {
  message_type: "edit.applied";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: EditApplied;
}

/** Set several fields, all or none. */
export interface EditBatch {
  /** The session. */
  session_id: string;
  /** Chosen by the client; sending it again is harmless. */
  edit_id: string;
  /** The edits; each field at most once. */
  edits: FieldEdit[];
  /** Why; kept in the audit trail. */
  edit_reason?: string;
}

/** Several fields were set. */
export interface EditBatchApplied {
  /** The edit. */
  edit_id: string;
  /** Why. */
  edit_reason?: string;
  /** This took back the commit with this `seq`. */
  undo_of?: number;
  /** This did again what the undo with this `seq` took back. */
  redo_of?: number;
  /** The fields that changed. */
  edits: FieldSet[];
  /** For each edit that was sent, its field's version now. */
  versions: number[];
}

/** `edit.batch_applied`: Several fields were set. */
export interface EditBatchAppliedEnvelope {
  message_type: "edit.batch_applied";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: EditBatchApplied;
}

/** Set several fields, all or none. */
export interface EditBatchBody {
  /** Chosen by the client. The same as the header `Idempotency-Key`. */
  edit_id?: string;
  /** The edits; each field at most once. */
  edits: FieldEdit[];
  /** Why; kept in the audit trail. */
  edit_reason?: string;
}

/** All edits were applied. */
export interface EditBatchDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** What became of them. */
  status: "applied" | "unchanged";
  /** For each edit, its field's version now. */
  versions: number[];
}

/** Set one field of the record. */
export interface EditBody {
  /** The record's field. */
  field_name: string;
  /** Text, number, true, false, null or a list of texts. Amounts are decimal texts. */
  new_value: JsonValue;
  /** The field's version that the author saw; 0 as imported. Without it, the version in `If-Match`. */
  base_version?: number;
  /** The token of one's own lock; the edit is refused once that lock is gone. */
  lock_token?: number;
  /** Chosen by the client; sending it again is harmless. The same as the header `Idempotency-Key`; one of both is enough, and without both the server makes one. */
  edit_id?: string;
  /** Why; kept in the audit trail. */
  edit_reason?: string;
}

/** Edits that set fields. */
export interface EditCounts {
  /** Commits that set fields. */
  total: number;
  /** Applied as they were sent. */
  applied: number;
  /** Merged by themselves with a newer value. */
  merged: number;
  /** Batches; each counts once. */
  batches: number;
  /** Fields set, those of batches one by one. */
  fields_set: number;
  /** Taken back by their authors. */
  undone: number;
  /** Done again after that. */
  redone: number;
}

/** What became of an edit. It is never dropped. */
export interface EditDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** What became of it. */
  status: "applied" | "merged" | "unchanged" | "conflict";
  /** The field's version now. */
  version: number;
  /** What the field holds now, after `applied` and `merged`. */
  value?: JsonValue;
  /** The conflict of which the edit is a candidate. */
  conflict_id?: string;
}

/** A field was set to what an edit and a newer value make together. */
export interface EditMerged {
  /** The edit. */
  edit_id: string;
  /** Why. */
  edit_reason?: string;
  /** This took back the commit with this `seq`. */
  undo_of?: number;
  /** This did again what the undo with this `seq` took back. */
  redo_of?: number;
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** What the field held before. */
  old_value: JsonValue;
  /** What it holds now. */
  new_value: JsonValue;
  /** The version that the author had seen. */
  base_version: number;
  /** The version whose value an undo or redo brought back. */
  restored_version?: number;
  /** The field's version from now on: the commit's `seq`. */
  version: number;
  /** What the author had sent. */
  submitted_value: JsonValue;
}

/** `edit.merged`: A field was set to what an edit and a newer value make together. */
export interface EditMergedEnvelope {
  message_type: "edit.merged";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: EditMerged;
}

/** What became of an edit. It is never dropped. */
export interface Edited {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** What became of it. */
  status: "applied" | "merged" | "unchanged" | "conflict";
  /** The field's version now. */
  version: number;
  /** What the field holds now, after `applied` and `merged`. */
  value?: JsonValue;
  /** The conflict of which the edit is a candidate. */
  conflict_id?: string;
}

/** A broadcast. It comes under its family's event name (the part of `message_type` before the dot), or under `message` for clients that asked for that; a replay brings the same envelopes in a list. */
export type Envelope = EditAppliedEnvelope | EditMergedEnvelope | EditBatchAppliedEnvelope | LockAcquiredEnvelope | LockRenewedEnvelope | LockReleasedEnvelope | LockExpiredEnvelope | LockTakenOverEnvelope | ConflictDetectedEnvelope | ConflictExtendedEnvelope | ConflictResolvedEnvelope | CommentAddedEnvelope | CommentResolvedEnvelope | RecordImportedEnvelope | SessionCreatedEnvelope | SessionUpdatedEnvelope | SessionEndedEnvelope | SessionExpiredEnvelope | PresenceJoinedEnvelope | PresenceUpdatedEnvelope | PresenceLeftEnvelope | NotificationTokenExpiringEnvelope | NotificationTokenExpiredEnvelope | NotificationAccessRevokedEnvelope;

/** Why something was refused. */
export interface Error {
  /** Stable, for programs. */
  code: "invalid" | "unauthenticated" | "token_expired" | "forbidden" | "not_found" | "not_joined" | "session_full" | "session_ended" | "locked" | "lock_lost" | "lock_not_held" | "version_unknown" | "version_stale" | "already_resolved" | "already_matched" | "frozen" | "separation_of_duties" | "unbalanced" | "reason_required" | "nothing_to_undo" | "rate_limited" | "payload_too_large" | "overloaded" | "unavailable" | "internal";
  /** One sentence, for people. */
  message: string;
  /** More about it. `invalid` has `fields`: what is wrong, by field. */
  details?: Record<string, JsonValue>;
  /** Whether the same request may succeed later. */
  retryable: boolean;
}

/** What a field held at an earlier version. */
export interface FieldBase {
  /** The version. */
  version: number;
  /** The value then; null where it is not known any more. */
  value: JsonValue;
  /** Whether the value is still known. */
  known: boolean;
}

/** One field's new value, as its author saw the field at `base_version`. */
export interface FieldEdit {
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** Text, number, true, false, null or a list of texts. Amounts are decimal texts. */
  new_value: JsonValue;
  /** The field's version that the author saw; 0 as imported. */
  base_version: number;
  /** The token of one's own lock; the edit is refused once that lock is gone. */
  lock_token?: number;
}

/** What a field holds now. */
export interface FieldNow {
  /** The version. */
  version: number;
  /** The value. */
  value: JsonValue;
  /** Who set it; null as imported. */
  user_id: string | null;
}

/** A field that was set. */
export interface FieldSet {
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** What the field held before. */
  old_value: JsonValue;
  /** What it holds now. */
  new_value: JsonValue;
  /** The version that the author had seen. */
  base_version: number;
  /** The version whose value an undo or redo brought back. */
  restored_version?: number;
}

/** What a person is looking at. */
export interface Focus {
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name?: string;
}

/** Commits, oldest first. With a filter a page can be short, even empty: go on while there is a cursor. */
export interface HistoryPage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The commits, as they were broadcast. */
  items: Envelope[];
  /** The session's newest commit. */
  as_of: number;
}

/** What became of the rows: each is in exactly one of the six counts. */
export interface ImportDone {
  /** Which side. */
  source: "ledger" | "statement";
  /** All rows. */
  rows: number;
  /** Became records. */
  new: number;
  /** Said nothing new. */
  unchanged: number;
  /** Set fields of records that were there. */
  changed: number;
  /** Became candidates of conflicts, because a person had changed the field. */
  conflicting: number;
  /** Left a person's value as it is, by the field's policy. */
  kept: number;
  /** Could not be taken; see `errors`. */
  refused: number;
  /** The newest commit of this import. */
  seq: number;
  /** The first 1,000 rows that could not be taken. */
  errors: RowRefused[];
}

/** Enter a session and subscribe to its broadcasts; come back after an interruption. */
export interface Join {
  /** The session. */
  session_id: string;
  /** The last `seq` seen: the answer brings the commits after it. */
  since?: number;
  /** Names the tab or device, for the client's own use. */
  device_id?: string;
}

/** The session as of `seq`; what happened after it comes as broadcasts. */
export interface Joined {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The session. */
  session: Session;
  /** The person's role in the project. */
  role: "auditor" | "preparer" | "reviewer" | "approver" | "admin";
  /** Who is there. */
  members: Member[];
  /** Locks held now. */
  locks: LockView[];
  /** Open conflicts. */
  conflicts: ConflictView[];
  /** The matching run. */
  reconciliation: Reconciliation;
  /** Whether `commits` has all that was missed. False without `since`. */
  recovered: boolean;
  /** What happened after `since`. */
  commits: Envelope[];
}

/** Leave a session; its broadcasts end. */
export interface Leave {
  /** The session. */
  session_id: string;
}

/** Take a lease on a record, or renew one's own. */
export interface Lock {
  /** The session. */
  session_id: string;
  /** The record. */
  record_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** Seconds of the lease; 300 without, and never more than the server's maximum. */
  ttl?: number;
}

/** `lock.acquired`: A record is locked until ``expires_at``. */
export interface LockAcquiredEnvelope {
  message_type: "lock.acquired";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: LockLease;
}

/** Take a lease on the record, or renew one's own. */
export interface LockBody {
  /** Seconds of the lease; 300 without, and never more than the server's maximum. */
  ttl?: number;
}

/** Locks. A refused attempt leaves nothing in the log: how long somebody waited is known by when they got it. */
export interface LockCounts {
  /** Leases taken. */
  acquired: number;
  /** Leases prolonged. */
  renewed: number;
  /** Given back. */
  released: number;
  /** Run out. */
  expired: number;
  /** Taken over by reviewers. */
  taken_over: number;
  /** How long leases lasted, from being taken to their end. */
  held: Durations;
  /** Where a record went from one person to another: from the first one's lease to the other's. */
  waits: Durations;
}

/** A record is free again. */
export interface LockEnded {
  /** The record. */
  record_id: string;
  /** The lock's fencing token. */
  token: number;
  /** Who held it. */
  user_id: string;
  /** Why it ended by itself; absent when its holder gave it back. */
  cause?: "lease_ended" | "holder_gone";
}

/** `lock.expired`: A record is free again. */
export interface LockExpiredEnvelope {
  message_type: "lock.expired";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: LockEnded;
}

/** The lease. */
export interface LockGranted {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The lock's fencing token. */
  token: number;
  /** Until when, unless renewed. */
  expires_at: string;
}

/** A record is locked until `expires_at`. */
export interface LockLease {
  /** The record. */
  record_id: string;
  /** Who holds the lock. */
  holder: Person;
  /** The lock's fencing token. */
  token: number;
  /** Until when, unless renewed. */
  expires_at: string;
}

/** `lock.released`: A record is free again. */
export interface LockReleasedEnvelope {
  message_type: "lock.released";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: LockEnded;
}

/** `lock.renewed`: A record is locked until ``expires_at``. */
export interface LockRenewedEnvelope {
  message_type: "lock.renewed";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: LockLease;
}

/** The lease is over. */
export interface LockReturned {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The lock's fencing token. */
  token: number;
}

/** A reviewer took somebody's lock. */
export interface LockTakenOver {
  /** The record. */
  record_id: string;
  /** Who holds the lock. */
  holder: Person;
  /** The lock's fencing token. */
  token: number;
  /** Until when, unless renewed. */
  expires_at: string;
  /** Whose lock it was. */
  previous: PreviousLock;
  /** Why. */
  reason: string;
}

/** `lock.taken_over`: A reviewer took somebody's lock. */
export interface LockTakenOverEnvelope {
  message_type: "lock.taken_over";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: LockTakenOver;
}

/** A lock that is held now. */
export interface LockView {
  /** The record. */
  record_id: string;
  /** Who holds it. */
  holder: Person;
  /** The lock's fencing token. */
  token: number;
  /** Since when. */
  acquired_at: string;
  /** Until when, unless renewed. */
  expires_at: string;
}

/** The lease. */
export interface Locked {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The lock's fencing token. */
  token: number;
  /** Until when, unless renewed. */
  expires_at: string;
}

/** A person who is in the session now, with all their connections under one entry. */
export interface Member {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** The person's role in the project. */
  role: "auditor" | "preparer" | "reviewer" | "approver" | "admin";
  /** `active` while any connection is. */
  status: "active" | "idle";
  /** What the person said they are doing. */
  activity: string | null;
  /** Where the person is. */
  focus: Focus | null;
  /** When the person last did anything. */
  last_seen: string;
  /** Open connections (tabs). */
  connections: number;
}

/** Any event but `message` itself, under the one event name `message`. */
export interface MessageForm {
  /** The event. */
  message_type: "join" | "leave" | "edit" | "edit_batch" | "lock" | "renew" | "unlock" | "takeover" | "presence" | "resolve" | "comment" | "resolve_comment" | "undo" | "redo" | "sync" | "authenticate";
  /** The session. */
  session_id?: string;
  /** The event's other fields. */
  data?: Record<string, JsonValue>;
}

/** `notification.access_revoked`: The new token does not name the session's project any more; the session was left. */
export interface NotificationAccessRevokedEnvelope {
  message_type: "notification.access_revoked";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: AccessRevoked;
}

/** `notification.token_expired`: The token has expired; the server closes the connection. */
export interface NotificationTokenExpiredEnvelope {
  message_type: "notification.token_expired";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: TokenExpired;
}

/** `notification.token_expiring`: The connection ends soon unless a new token comes by `authenticate`. */
export interface NotificationTokenExpiringEnvelope {
  message_type: "notification.token_expiring";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: TokenExpiring;
}

/** A person who was let into the session. */
export interface Participant {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** The person's role in the project. */
  role: "auditor" | "preparer" | "reviewer" | "approver" | "admin";
  /** When they came, or came to this role. */
  since: string;
}

/** The session as it stood. */
export interface PastSession {
  /** The session. */
  session_id: string;
  /** The project whose members may enter. */
  project_id: string;
  /** The session's name. */
  name: string;
  /** How it was. */
  status: "active" | "ended" | "expired";
  /** Who had been let in. */
  participants: Participant[];
  /** Leases in the log then. */
  locks: LockView[];
  /** How many conflicts were open. */
  open_conflicts: number;
  /** The hash of the commit: it seals everything up to it. */
  hash: string;
}

/** Who, with the name to show. */
export interface Person {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
}

/** Say what one is doing. Fields that are left out stay as they are; null clears. */
export interface Presence {
  /** The session. */
  session_id: string;
  /** Whether the person is there. */
  status?: "active" | "idle";
  /** What the person is doing. */
  activity?: string | null;
  /** Where the person is. */
  focus?: Focus | null;
}

/** `presence.joined`: A person who is in the session now, with all their connections under one entry. */
export interface PresenceJoinedEnvelope {
  message_type: "presence.joined";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Member;
}

/** A person's last connection is gone. */
export interface PresenceLeft {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
}

/** `presence.left`: A person's last connection is gone. */
export interface PresenceLeftEnvelope {
  message_type: "presence.left";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: PresenceLeft;
}

/** `presence.updated`: A person who is in the session now, with all their connections under one entry. */
export interface PresenceUpdatedEnvelope {
  message_type: "presence.updated";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Member;
}

/** The lock that was taken over. */
export interface PreviousLock {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** The lock's fencing token. */
  token: number;
}

/** Why a request was refused (RFC 9457). The code is the one that the socket gives. */
export interface Problem {
  /** A page that explains the code. */
  type: string;
  /** What the code means. */
  title: string;
  /** The HTTP status. */
  status: number;
  /** One sentence, for people. */
  detail: string;
  /** The path that was asked for. */
  instance: string;
  /** Stable, for programs. */
  code: "invalid" | "unauthenticated" | "token_expired" | "forbidden" | "not_found" | "not_joined" | "session_full" | "session_ended" | "locked" | "lock_lost" | "lock_not_held" | "version_unknown" | "version_stale" | "already_resolved" | "already_matched" | "frozen" | "separation_of_duties" | "unbalanced" | "reason_required" | "nothing_to_undo" | "rate_limited" | "payload_too_large" | "overloaded" | "unavailable" | "internal";
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** Names this request in the server's log; also the header `X-Request-ID`. */
  request_id: string;
  /** More about it. `invalid` has `fields`: what is wrong, by field. */
  details?: Record<string, JsonValue>;
}

/** The matching run of a session. */
export interface Reconciliation {
  /** How far it is. */
  status: "not_started";
}

/** Records were added to the session; load them over REST. */
export interface RecordImported {
  /** The import. */
  import_id: string;
  /** Which side. */
  source: "ledger" | "statement";
  /** How many records were new, unchanged, changed, refused. */
  counts: Record<string, number>;
  /** SHA-256 over what was imported, in hexadecimal. */
  digest: string;
}

/** `record.imported`: Records were added to the session; load them over REST. */
export interface RecordImportedEnvelope {
  message_type: "record.imported";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: RecordImported;
}

/** A record. `seq` is its version as a whole, and its ETag. */
export interface RecordView {
  /** The record. */
  record_id: string;
  /** Which side it is of. */
  source: "ledger" | "statement";
  /** How it is called where it came from. */
  external_id: string;
  /** All its fields. */
  values: Record<string, JsonValue>;
  /** Versions of the fields that were set since the import; the others have 0. */
  versions: Record<string, number>;
  /** Fields with an open conflict. */
  conflicts: Record<string, string>;
  /** The last commit that changed it; 0 as imported. */
  seq: number;
}

/** Records by id. All pages of one listing show them as of the same `as_of`. */
export interface RecordsPage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The records. */
  items: RecordView[];
  /** The commit as of which they are shown: what came after it, `sync` or the history brings. */
  as_of: number;
}

/** Do again what was undone: the last one, or the one named by the undo's `seq`. */
export interface Redo {
  /** The session. */
  session_id: string;
  /** The edit's `seq`. */
  seq?: number;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** The answer to a request that changed nothing. */
export interface Refused {
  /** Always false. */
  ok: false;
  /** Why. */
  error: Error;
}

/** Prolong one's own lease. */
export interface Renew {
  /** The session. */
  session_id: string;
  /** The record. */
  record_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The lock's fencing token. */
  token: number;
  /** Seconds from now; 300 without. */
  ttl?: number;
}

/** Prolong one's own lease. */
export interface RenewBody {
  /** The lock's fencing token. */
  token: number;
  /** Seconds from now; 300 without. */
  ttl?: number;
}

/** How a conflict was decided. */
export interface Resolution {
  /** How. */
  strategy: "keep_current" | "take_candidate" | "merge" | "custom";
  /** Who decided. */
  user_id: string;
  /** When. */
  resolved_at: string;
  /** The commit. */
  seq: number;
  /** What the field was set to. */
  value: JsonValue;
  /** The candidate that was meant. */
  edit_id?: string;
  /** Why. */
  reason?: string;
}

/** Decide an open conflict. */
export interface Resolve {
  /** The session. */
  session_id: string;
  /** The conflict. */
  conflict_id: string;
  /** How. */
  strategy: "keep_current" | "take_candidate" | "merge" | "custom";
  /** The candidate that is meant, where there are several. */
  edit_id?: string;
  /** The value, for the strategy `custom`. */
  value?: JsonValue;
  /** Why; kept in the audit trail. */
  reason?: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** Decide an open conflict. */
export interface ResolveBody {
  /** How. */
  strategy: "keep_current" | "take_candidate" | "merge" | "custom";
  /** The candidate that is meant, where there are several. */
  edit_id?: string;
  /** The value, for the strategy `custom`. */
  value?: JsonValue;
  /** Why; kept in the audit trail. */
  reason?: string;
}

/** Mark a comment as settled. */
export interface ResolveComment {
  /** The session. */
  session_id: string;
  /** The comment. */
  comment_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** The conflict is closed. */
export interface Resolved {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The field's version now. */
  version: number;
  /** What the field holds now. */
  value: JsonValue;
}

/** A row that could not be taken. */
export interface RowRefused {
  /** Its line in the file, from 1. */
  line: number;
  /** What is wrong with it; null: the whole row. */
  field: string | null;
  /** What is wrong. */
  message: string;
}

/** A session. */
export interface Session {
  /** The session. */
  session_id: string;
  /** The project whose members may enter. */
  project_id: string;
  /** The session's name. */
  name: string;
  /** Ended and expired sessions can be read, not changed. */
  status: "active" | "ended" | "expired";
  /** Who created it. */
  created_by: string;
  /** When it was created. */
  created_at: string;
  /** When it expires if nothing happens until then; null: never. */
  expires_at: string | null;
  /** Fields whose policy differs from what their type implies. */
  field_policies: Record<string, "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins">;
}

/** The session's first commit. */
export interface SessionCreated {
  /** The session's name. */
  name: string;
  /** Seconds without activity after which it expires; 0: never. */
  expires_in: number;
  /** Policies asked for. */
  field_policies: Record<string, "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins">;
  /** Who created it. */
  created_by: Person;
}

/** `session.created`: The session's first commit. */
export interface SessionCreatedEnvelope {
  message_type: "session.created";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: SessionCreated;
}

/** A session, as of `seq`. */
export interface SessionDetail {
  /** The session. */
  session_id: string;
  /** The project whose members may enter. */
  project_id: string;
  /** The session's name. */
  name: string;
  /** Ended and expired sessions can be read, not changed. */
  status: "active" | "ended" | "expired";
  /** Who created it. */
  created_by: string;
  /** When it was created. */
  created_at: string;
  /** When a person last did anything in it. */
  last_activity: string;
  /** When it expires if nothing happens until then; null: never. */
  expires_at: string | null;
  /** Its newest commit. */
  seq: number;
  /** Fields whose policy differs from what their type implies. */
  field_policies: Record<string, "manual" | "three_way" | "union" | "last_writer_wins" | "first_writer_wins">;
  /** The person's role in the project. */
  role: "auditor" | "preparer" | "reviewer" | "approver" | "admin";
  /** How many records it has. */
  records: number;
  /** How many conflicts are open. */
  open_conflicts: number;
  /** Locks held now. */
  locks: LockView[];
}

/** The session was ended; it can be read, not changed. */
export interface SessionEnded {
  /** Why. */
  reason?: string;
}

/** `session.ended`: The session was ended; it can be read, not changed. */
export interface SessionEndedEnvelope {
  message_type: "session.ended";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: SessionEnded;
}

/** Nothing happened in the session for so long that it ended by itself. */
export interface SessionExpired {
  /** Seconds without activity. */
  expires_in: number;
}

/** `session.expired`: Nothing happened in the session for so long that it ended by itself. */
export interface SessionExpiredEnvelope {
  message_type: "session.expired";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: SessionExpired;
}

/** A session in a list, as of its last checkpoint: while it is in use, at most a few seconds ago. */
export interface SessionListed {
  /** The session. */
  session_id: string;
  /** The project whose members may enter. */
  project_id: string;
  /** The session's name. */
  name: string;
  /** Ended and expired sessions can be read, not changed. */
  status: "active" | "ended" | "expired";
  /** Who created it. */
  created_by: string;
  /** When it was created. */
  created_at: string;
  /** When a person last did anything in it. */
  last_activity: string;
  /** When it expires if nothing happens until then; null: never. */
  expires_at: string | null;
  /** Its newest commit. */
  seq: number;
}

/** A person was let in for the first time, or with another name or role. */
export interface SessionUpdated {
  /** What changed. */
  change: "participant_added" | "participant_changed";
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** The person's role in the project. */
  role: "auditor" | "preparer" | "reviewer" | "approver" | "admin";
}

/** `session.updated`: A person was let in for the first time, or with another name or role. */
export interface SessionUpdatedEnvelope {
  message_type: "session.updated";
  /** The session. */
  session_id: string;
  /** The session's project. */
  project_id: string;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  /** Place in the session's log. Absent in the families `presence` and `notification`. */
  seq: number;
  data: SessionUpdated;
}

/** Sessions by id. */
export interface SessionsPage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The sessions. */
  items: SessionListed[];
}

/** The session as it stood when a commit was made, its records page by page. */
export interface StatePage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The commit. */
  at: number;
  /** When it was made. */
  timestamp: string;
  /** The session; null on all pages but the first. */
  session: PastSession | null;
  /** The records. */
  items: RecordView[];
}

/** Fetch the commits after a `seq`. */
export interface Sync {
  /** The session. */
  session_id: string;
  /** The last `seq` seen. */
  since: number;
}

/** The commits after `since`; with `reset`, too many: load anew. */
export interface Synced {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** What happened after `since`. */
  commits: Envelope[];
  /** True when more was missed than is replayed. */
  reset?: boolean;
}

/** Take somebody else's lock, for a reason that goes into the audit trail. */
export interface TakeOver {
  /** The session. */
  session_id: string;
  /** The record. */
  record_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** Why. Required: without it the answer is `reason_required`. */
  reason?: string;
}

/** Take somebody else's lock, for a reason that goes into the audit trail. */
export interface TakeOverBody {
  /** Why. Required: without it the answer is `reason_required`. */
  reason?: string;
}

/** The token has expired; the server closes the connection. */
export interface TokenExpired {
  /** When the token expires. */
  expires_at: string;
}

/** The connection ends soon unless a new token comes by `authenticate`. */
export interface TokenExpiring {
  /** When the token expires. */
  expires_at: string;
}

/** Take back one of one's own edits: the last one, or the one named. Refused when the field has moved on. */
export interface Undo {
  /** The session. */
  session_id: string;
  /** The edit's `seq`. */
  seq?: number;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** The fields were set again. */
export interface Undone {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** What became of it. */
  status: "applied";
  /** The field's version now, where it is one. */
  version?: number;
  /** What the field holds now, where it is one. */
  value?: JsonValue;
  /** The fields' versions now, where they are several. */
  versions?: number[];
}

/** Give a lease back. */
export interface Unlock {
  /** The session. */
  session_id: string;
  /** The record. */
  record_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The lock's fencing token. */
  token: number;
}

/** Give a lease back. */
export interface UnlockBody {
  /** The lock's fencing token. */
  token: number;
}

/** The lease is over. */
export interface Unlocked {
  /** Always true. */
  ok: true;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The lock's fencing token. */
  token: number;
}

/** A person who is in the session now, or ever was (without connections). */
export interface User {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** The person's role in the project. */
  role: "auditor" | "preparer" | "reviewer" | "approver" | "admin";
  /** `active` while any connection is. */
  status: "active" | "idle";
  /** What the person said they are doing. */
  activity: string | null;
  /** Where the person is. */
  focus: Focus | null;
  /** When the person last did anything. */
  last_seen: string;
  /** Open connections (tabs). */
  connections: number;
  /** Whether the person is in the session now. */
  present: boolean;
}

/** The people of a session. */
export interface Users {
  /** Who is there, and who ever was. */
  items: User[];
}

/** What clients send, and how it is answered when it is fulfilled. */
export interface ClientEvents {
  join: { request: Join; ack: Joined };
  leave: { request: Leave; ack: Done };
  edit: { request: Edit; ack: Edited };
  edit_batch: { request: EditBatch; ack: BatchEdited };
  lock: { request: Lock; ack: Locked };
  renew: { request: Renew; ack: Locked };
  unlock: { request: Unlock; ack: Unlocked };
  takeover: { request: TakeOver; ack: Locked };
  presence: { request: Presence; ack: Done };
  resolve: { request: Resolve; ack: Resolved };
  comment: { request: Comment; ack: Commented };
  resolve_comment: { request: ResolveComment; ack: Commented };
  undo: { request: Undo; ack: Undone };
  redo: { request: Redo; ack: Undone };
  sync: { request: Sync; ack: Synced };
  authenticate: { request: Authenticate; ack: Authenticated };
}

/** Every acknowledgement. */
export type Ack<E extends keyof ClientEvents> = ClientEvents[E]["ack"] | Refused;

/** The `data` of an envelope, by its `message_type`. */
export interface MessageData {
  "edit.applied": EditApplied;
  "edit.merged": EditMerged;
  "edit.batch_applied": EditBatchApplied;
  "lock.acquired": LockLease;
  "lock.renewed": LockLease;
  "lock.released": LockEnded;
  "lock.expired": LockEnded;
  "lock.taken_over": LockTakenOver;
  "conflict.detected": ConflictDetected;
  "conflict.extended": ConflictExtended;
  "conflict.resolved": ConflictResolved;
  "comment.added": CommentAdded;
  "comment.resolved": CommentResolved;
  "record.imported": RecordImported;
  "session.created": SessionCreated;
  "session.updated": SessionUpdated;
  "session.ended": SessionEnded;
  "session.expired": SessionExpired;
  "presence.joined": Member;
  "presence.updated": Member;
  "presence.left": PresenceLeft;
  "notification.token_expiring": TokenExpiring;
  "notification.token_expired": TokenExpired;
  "notification.access_revoked": AccessRevoked;
}

/** What the server sends, by event name. */
export interface ServerEvents {
  edit: EditAppliedEnvelope | EditMergedEnvelope | EditBatchAppliedEnvelope;
  lock: LockAcquiredEnvelope | LockRenewedEnvelope | LockReleasedEnvelope | LockExpiredEnvelope | LockTakenOverEnvelope;
  conflict: ConflictDetectedEnvelope | ConflictExtendedEnvelope | ConflictResolvedEnvelope;
  comment: CommentAddedEnvelope | CommentResolvedEnvelope;
  record: RecordImportedEnvelope;
  session: SessionCreatedEnvelope | SessionUpdatedEnvelope | SessionEndedEnvelope | SessionExpiredEnvelope;
  presence: PresenceJoinedEnvelope | PresenceUpdatedEnvelope | PresenceLeftEnvelope;
  notification: NotificationTokenExpiringEnvelope | NotificationTokenExpiredEnvelope | NotificationAccessRevokedEnvelope;
}

/** Envelopes of commits: the ones with a `seq`. */
export type CommitEnvelope = EditAppliedEnvelope | EditMergedEnvelope | EditBatchAppliedEnvelope | LockAcquiredEnvelope | LockRenewedEnvelope | LockReleasedEnvelope | LockExpiredEnvelope | LockTakenOverEnvelope | ConflictDetectedEnvelope | ConflictExtendedEnvelope | ConflictResolvedEnvelope | CommentAddedEnvelope | CommentResolvedEnvelope | RecordImportedEnvelope | SessionCreatedEnvelope | SessionUpdatedEnvelope | SessionEndedEnvelope | SessionExpiredEnvelope;
