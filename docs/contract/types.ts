// Generated from the server's schemas by `python -m realtime_server.documents`. Do not edit.

/** Any JSON value. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

/** The person has no role in the session's project any more, by a new token or because the old one was revoked; the session was left. Without a session: nothing is left to them, and the server closes the connection. */
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

/** One thing that speaks for another value. */
export interface Against {
  /** Stable, for programs. */
  code: "counterpart" | "balances" | "document" | "as_imported" | "agreed" | "own_later" | "informed" | "slip" | "keeps_both" | "same_words" | "fuller" | "like_source" | "role" | "precedent" | "filled" | "reasoned";
  /** One sentence, for people. */
  reason: string;
  /** The candidate it speaks for; absent where it is the value that stands. */
  edit_id?: string;
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

/** Sign. */
export interface Approve {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** With the signature. */
  comment?: string;
}

/** Signed. `reconciliation.reviewed`: another signature is needed; `reconciliation.approved`: that was the last. */
export interface Approved {
  /** The person's name. */
  name: string;
  /** Records. */
  records?: number;
  /** Records that are neither matched nor set aside. */
  open_records?: number;
  /** Records set aside as exceptions. */
  exceptions?: number;
  /** Unexplained, by currency. */
  difference?: Record<string, string>;
  /** What was said with it. */
  comment?: string;
  /** In which role. */
  role: string;
  /** Whether it was the last one needed. */
  final: boolean;
  /** Signed off by rule. */
  automatic?: boolean;
}

/** Give records to somebody. */
export interface AssignBody {
  /** The records; each is answered for. */
  record_ids: string[];
  /** Who; null is nobody. */
  assignee: string | null;
}

/** Give records to somebody to work on. */
export interface AssignRecords {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The records; each is answered for. */
  record_ids: string[];
  /** Who; null is nobody. */
  assignee: string | null;
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

/** What became of each item. */
export interface BulkDone {
  /** Always true. */
  ok?: boolean;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** One for each item, in order. */
  results: ItemResult[];
  /** The match. */
  match_id?: string;
}

/** What one rule would find. */
export interface ByRule {
  /** Matches. */
  matches: number;
  /** Of them confirmed at once. */
  confirmed: number;
}

/** End the run; what it has found stays. */
export interface CancelRun {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** Why. */
  reason?: string;
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

/** What a record might match. */
export interface Candidates {
  /** The likeliest first. */
  items: MatchCandidate[];
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

/** Change how the sign-off goes. */
export interface Configure {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** What changes. */
  settings: Settings;
}

/** How the sign-off goes was changed. */
export interface Configured {
  /** All settings, as they are now. */
  settings: Settings;
}

/** Confirm suggested matches. */
export interface ConfirmMatches {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The matches; each is answered for. */
  match_ids: string[];
  /** Why a difference beyond the rule's tolerance is right. */
  reason?: string;
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
  /** What to decide, as far as can be said; null: nothing can. */
  suggestion?: Suggestion | null;
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
  /** What to decide, as far as can be said. Null: nothing can, or it is decided; or in the answer to `join`, where more than 50 are open, HTTP has it. */
  suggestion: Suggestion | null;
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
  /** What to decide now, in place of what was suggested before. */
  suggestion?: Suggestion | null;
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
  /** Whose candidates they were. */
  authors?: string[];
  /** The candidate that was meant. */
  edit_id?: string;
  /** Why. */
  reason?: string;
  /** What was suggested at that moment; absent where nothing was. */
  suggestion?: Suggested;
  /** Whether the field holds now what was suggested. */
  followed_suggestion?: boolean;
  /** In which roles the current value's author, then the candidate's, had set it. */
  between?: string[];
  /** Whose value it became. */
  won?: "current" | "candidate" | "other";
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
  /** What to decide, as far as can be said. Null: nothing can, or it is decided; or in the answer to `join`, where more than 50 are open, HTTP has it. */
  suggestion: Suggestion | null;
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

/** What a run would do; nothing is stored. */
export interface DryRun {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** Open records. */
  records: number;
  /** Of them in a match. */
  records_matched: number;
  /** Matches. */
  matches: number;
  /** Matches by rule. */
  by_rule: Record<string, ByRule>;
  /** The first matches of each rule. */
  examples: DryRunMatch[];
}

/** By which rules; the session's own without. */
export interface DryRunBody {
  /** The rules to try. */
  rules?: Rule[];
  /** How many matches of each rule to show. */
  examples?: number;
}

/** A match that a run would find. */
export interface DryRunMatch {
  /** The probability. */
  score: number | null;
  /** Why, for people. */
  reasons: string[];
  /** Records of the ledger. */
  ledger: string[];
  /** Records of the statement. */
  statement: string[];
  /** By which rule. */
  rule_id: string;
  /** Whether it would be confirmed at once. */
  confirmed: boolean;
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
  edits: FieldSetTogether[];
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
export type Envelope = EditAppliedEnvelope | EditMergedEnvelope | EditBatchAppliedEnvelope | LockAcquiredEnvelope | LockRenewedEnvelope | LockReleasedEnvelope | LockExpiredEnvelope | LockTakenOverEnvelope | ConflictDetectedEnvelope | ConflictExtendedEnvelope | ConflictResolvedEnvelope | CommentAddedEnvelope | CommentResolvedEnvelope | RecordImportedEnvelope | SessionCreatedEnvelope | SessionUpdatedEnvelope | SessionNameErasedEnvelope | SessionEndedEnvelope | SessionExpiredEnvelope | MatchSuggestedEnvelope | MatchConfirmedEnvelope | MatchRejectedEnvelope | MatchCreatedEnvelope | MatchRemovedEnvelope | MatchSplitEnvelope | RecordStatusChangedEnvelope | RecordAssignedEnvelope | ReconciliationStartedEnvelope | ReconciliationPausedEnvelope | ReconciliationResumedEnvelope | ReconciliationProgressEnvelope | ReconciliationCompletedEnvelope | ReconciliationFailedEnvelope | ReconciliationCancelledEnvelope | ReconciliationRulesChangedEnvelope | ReconciliationConfiguredEnvelope | ReconciliationSubmittedEnvelope | ReconciliationReviewedEnvelope | ReconciliationApprovedEnvelope | ReconciliationRejectedEnvelope | ReconciliationReopenedEnvelope | PresenceJoinedEnvelope | PresenceUpdatedEnvelope | PresenceLeftEnvelope | PresenceOverlapEnvelope | NotificationTokenExpiringEnvelope | NotificationTokenExpiredEnvelope | NotificationAccessRevokedEnvelope | NotificationAssignedEnvelope | NotificationMentionedEnvelope | NotificationConflictEnvelope | NotificationConflictResolvedEnvelope | NotificationLockTakenOverEnvelope | NotificationSignoffWantedEnvelope | NotificationApprovedEnvelope | NotificationRejectedEnvelope | NotificationReopenedEnvelope | NotificationRunFinishedEnvelope;

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

/** One thing that speaks for a value. */
export interface Evidence {
  /** Stable, for programs. */
  code: "counterpart" | "balances" | "document" | "as_imported" | "agreed" | "own_later" | "informed" | "slip" | "keeps_both" | "same_words" | "fuller" | "like_source" | "role" | "precedent" | "filled" | "reasoned";
  /** One sentence, for people. */
  reason: string;
}

/** The package as one JSON object; the rows are those of the tables. */
export interface ExportDocument {
  /** The session in figures, and who signed. */
  summary: Record<string, JsonValue>;
  /** Matches, suggested ones too. */
  matches: Record<string, JsonValue>[];
  /** Every record that is not matched. */
  exceptions: Record<string, JsonValue>[];
  /** What people said. */
  comments: Record<string, JsonValue>[];
  /** Submissions, signatures, and what became of them. */
  signoffs: Record<string, JsonValue>[];
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

/** One of several fields that were set. */
export interface FieldSetTogether {
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
  /** What the author had sent, where a newer value was merged with it. */
  submitted_value?: JsonValue;
}

/** The rules of matching that a session began with. */
export interface FirstRules {
  /** Which version of the project's rules they are. */
  project_version: number;
  /** The rules, in order. */
  rules: Rule[];
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
  /** What the file was. */
  format: "csv" | "json_lines" | "ofx" | "camt053" | "mt940";
  /** Whether the project's saved mapping was used. */
  saved_mapping: boolean;
  /** The first 1,000 rows that could not be taken. */
  errors: RowRefused[];
}

/** How a project's CSVs of one side are read. */
export interface ImportMapping {
  /** Which column is the date, amount, debit, credit, direction, currency, description, reference, external_id; empty: there is none. */
  columns?: Record<string, string>;
  /** Columns to leave out. */
  ignore?: string[];
  /** Another name for the field that a column becomes. */
  rename?: Record<string, string>;
  /** How dates are written. */
  date_format?: string | null;
  /** The decimal mark of amounts. */
  decimal?: "." | "," | null;
  /** The currency of rows that name none. */
  default_currency?: string | null;
  /** How the text is encoded. */
  encoding?: string | null;
  /** What stands between the columns. */
  delimiter?: string | null;
  /** The project whose members may enter. */
  project_id: string;
  /** Which side. */
  source: "ledger" | "statement";
  /** Who settled it. */
  saved_by: string;
  /** When. */
  saved_at: string;
}

/** The mapping is not kept any more. */
export interface ImportMappingForgotten {
  /** Whether there was one. */
  forgotten: boolean;
}

/** How far an import over REST is. */
export interface ImportProgress {
  /** As the import's sender called it. */
  progress_id: string;
  /** Which side. */
  source: "ledger" | "statement";
  /** Where it stands: the file comes, is looked through, is imported. */
  status: "receiving" | "reading" | "importing" | "completed" | "failed";
  /** Who imports. */
  user_id: string;
  /** When it began. */
  started_at: string;
  /** When it last moved; one that stands still for a minute was cut off. */
  updated_at: string;
  /** Bytes that have come. */
  bytes_received: number;
  /** Bytes of the file, where its sender said; null otherwise. */
  bytes_total: number | null;
  /** Rows that were taken or refused until now. */
  rows: number;
  /** Rows of the file; null until it has been looked through. */
  rows_total: number | null;
  /** Of them new records. */
  new: number;
  /** Of them changes of records. */
  changed: number;
  /** Of them refused. */
  refused: number;
  /** Why it failed. */
  message?: string;
}

/** Imports over REST of the last day, newest first. */
export interface ImportsInProgress {
  /** The imports, 100 at most. */
  items: ImportProgress[];
}

/** Somebody who is at a field. */
export interface Involved {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** Looks at it, edits it, has a change there that is not sent, or changed it before. */
  doing: "looking" | "editing" | "unsent" | "changed";
}

/** Why one item of a bulk action was refused. */
export interface ItemError {
  /** As in any refusal. */
  code: string;
  /** One sentence, for people. */
  message: string;
  /** More about it. */
  details?: Record<string, JsonValue>;
}

/** What became of one item of a bulk action. */
export interface ItemResult {
  /** Whether it was done. */
  ok: boolean;
  /** The match. */
  match_id?: string;
  /** The record. */
  record_id?: string;
  /** The item's place, where it has no name. */
  index?: number;
  /** Why not. */
  error?: ItemError;
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
  /** What concerns you and is not read yet. */
  notifications: Unread;
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
  /** When it ended: the time of the commit. */
  expires_at: string;
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

/** Match records by hand. */
export interface MakeMatch {
  /** Records of the ledger. */
  ledger: string[];
  /** Records of the statement. */
  statement: string[];
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** Needed where the two sides do not net to zero. */
  reason?: string;
}

/** Match records by hand. */
export interface MatchBody {
  /** Records of the ledger. */
  ledger: string[];
  /** Records of the statement. */
  statement: string[];
  /** Needed where the two sides do not net to zero. */
  reason?: string;
}

/** A record that could belong to the one asked about. */
export interface MatchCandidate {
  /** The probability. */
  score: number | null;
  /** Why, for people. */
  reasons: string[];
  /** The record. */
  record_id: string;
}

/** What became of a match: `was` and `status`, null for none. */
export interface MatchChange {
  /** Records of the ledger. */
  ledger: string[];
  /** Records of the statement. */
  statement: string[];
  /** The match. */
  match_id: string;
  /** What it joins: a list of [source, currency, amount]. */
  sums: JsonValue;
  /** Before. */
  was: "suggested" | "confirmed" | null;
  /** Now. */
  status: "suggested" | "confirmed" | null;
  /** The rule that found it; null by hand. */
  rule_id?: string | null;
  /** The probability. */
  score?: number | null;
  /** Why, for people. */
  reasons?: string[];
  /** What a person said. */
  reason?: string;
}

/** `match.confirmed`: Matches changed. */
export interface MatchConfirmedEnvelope {
  message_type: "match.confirmed";
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
  data: MatchesChanged;
}

/** `match.created`: Matches changed. */
export interface MatchCreatedEnvelope {
  message_type: "match.created";
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
  data: MatchesChanged;
}

/** `match.rejected`: Matches changed. */
export interface MatchRejectedEnvelope {
  message_type: "match.rejected";
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
  data: MatchesChanged;
}

/** `match.removed`: Matches changed. */
export interface MatchRemovedEnvelope {
  message_type: "match.removed";
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
  data: MatchesChanged;
}

/** `match.split`: Matches changed. */
export interface MatchSplitEnvelope {
  message_type: "match.split";
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
  data: MatchesChanged;
}

/** `match.suggested`: Matches changed. */
export interface MatchSuggestedEnvelope {
  message_type: "match.suggested";
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
  data: MatchesChanged;
}

/** A match as it stands. */
export interface MatchView {
  /** Records of the ledger. */
  ledger: string[];
  /** Records of the statement. */
  statement: string[];
  /** The match. */
  match_id: string;
  /** Where it stands. */
  status: "suggested" | "confirmed";
  /** What it joins, by side and currency. */
  sums: SideSum[];
  /** Ledger less statement, by currency. */
  difference: Record<string, string>;
  /** The rule that found it; null by hand. */
  rule_id: string | null;
  /** The probability; null by hand. */
  score: number | null;
  /** Why, for people. */
  reasons: string[];
  /** What a person said. */
  reason: string | null;
  /** Who made it, or confirmed it last; begins with `system` for a run. */
  user_id: string;
  /** The commit that last set it. */
  seq: number;
}

/** The matches that are meant. */
export interface MatchesBody {
  /** The matches; each is answered for. */
  match_ids: string[];
  /** Why a difference beyond the rule's tolerance is right. */
  reason?: string;
}

/** Matches changed. */
export interface MatchesChanged {
  /** All records concerned. */
  record_ids: string[];
  /** The matches. */
  matches: MatchChange[];
  /** As the one who asked was answered. */
  results: ItemResult[];
  /** The run. */
  run_id?: string;
  /** Why. */
  reason?: string;
}

/** What became of each item. */
export interface MatchesDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** One for each item, in order. */
  results: ItemResult[];
  /** The match. */
  match_id?: string;
}

/** Matches. With a filter a page can be short, even empty: go on while there is a cursor. */
export interface MatchesPage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The matches. */
  items: MatchView[];
  /** The session's newest commit when the page was made. */
  as_of: number;
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
  /** Fields with a change that the person has not sent; absent without any. */
  drafts?: Place[];
  /** When the person last did anything. */
  last_seen: string;
  /** Open connections (tabs). */
  connections: number;
}

/** Any event but `message` itself, under the one event name `message`. */
export interface MessageForm {
  /** The event. */
  message_type: "join" | "leave" | "edit" | "edit_batch" | "lock" | "renew" | "unlock" | "takeover" | "presence" | "resolve" | "comment" | "resolve_comment" | "undo" | "redo" | "sync" | "authenticate" | "match_confirm" | "match_reject" | "match_create" | "match_remove" | "match_split" | "record_status" | "record_assign" | "rules_set" | "reconciliation_start" | "reconciliation_pause" | "reconciliation_resume" | "reconciliation_cancel" | "reconciliation_status" | "reconciliation_configure" | "reconciliation_submit" | "reconciliation_approve" | "reconciliation_reject" | "reconciliation_reopen";
  /** The session. */
  session_id?: string;
  /** The event's other fields. */
  data?: Record<string, JsonValue>;
}

/** The name is gone. */
export interface NameErased {
  /** The commit that says so. */
  seq: number;
  /** Commits beside which the name stood. */
  commits: number;
}

/** Something that concerns one. The same over REST, at a join and as the `data` of the live event. `assigned`: records were given to you. `mentioned`: in a comment. `conflict`: somebody disagrees with what you set. `conflict_resolved`: a conflict with an edit of yours was decided. `lock_taken_over`: your lock was taken. `signoff_wanted`: your signature is asked for. `approved`, `rejected`, `reopened`: what you prepared was. `run_finished`: the run that you started has ended. */
export interface Notification {
  /** The notification. */
  notification_id: string;
  /** What it is about. */
  kind: "assigned" | "mentioned" | "conflict" | "conflict_resolved" | "lock_taken_over" | "signoff_wanted" | "approved" | "rejected" | "reopened" | "run_finished";
  /** The session. */
  session_id: string;
  /** The session's name. */
  session_name: string;
  /** The project. */
  project_id: string;
  /** The commit that it follows from. */
  seq: number;
  /** Who did it; begins with `system` for what happened by itself. */
  user_id: string;
  /** Their name, where the session knows it. */
  name: string;
  /** When. */
  at: string;
  /** Whether you have marked it as read. */
  read: boolean;
  /** The records concerned, 20 at most. */
  record_ids: string[];
  /** How many records are concerned. */
  records: number;
  /** The record's field. */
  field_name?: string;
  /** The conflict. */
  conflict_id?: string;
  /** The comment. */
  comment_id?: string;
  /** The run. */
  run_id?: string;
  /** How the run ended. */
  status?: "completed" | "failed" | "cancelled";
  /** The beginning of what was said with it: the comment, the reason. */
  text?: string;
}

/** `notification.access_revoked`: The person has no role in the session's project any more, by a new token or because the old one was revoked; the */
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

/** `notification.approved`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationApprovedEnvelope {
  message_type: "notification.approved";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.assigned`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationAssignedEnvelope {
  message_type: "notification.assigned";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.conflict`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationConflictEnvelope {
  message_type: "notification.conflict";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.conflict_resolved`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationConflictResolvedEnvelope {
  message_type: "notification.conflict_resolved";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.lock_taken_over`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationLockTakenOverEnvelope {
  message_type: "notification.lock_taken_over";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.mentioned`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationMentionedEnvelope {
  message_type: "notification.mentioned";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.rejected`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationRejectedEnvelope {
  message_type: "notification.rejected";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.reopened`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationReopenedEnvelope {
  message_type: "notification.reopened";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.run_finished`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationRunFinishedEnvelope {
  message_type: "notification.run_finished";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
}

/** `notification.signoff_wanted`: Something that concerns one. The same over REST, at a join and as the ``data`` of the live event. */
export interface NotificationSignoffWantedEnvelope {
  message_type: "notification.signoff_wanted";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: Notification;
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

/** Notifications: what is not read first, and of each the newest first. */
export interface NotificationsPage {
  /** `cursor` of the next page; null after the last. */
  next_cursor: string | null;
  /** The notifications. */
  items: Notification[];
  /** How many are not read. 1,000 stands for so many and more. */
  unread: number;
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

/** Pause the run. */
export interface PauseRun {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** Who, with the name to show. */
export interface Person {
  /** The person. */
  user_id: string;
  /** The person's name. */
  name: string;
}

/** A field of a record. */
export interface Place {
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
}

/** Say what one is doing. Fields that are left out stay as they are; null clears. */
export interface Presence {
  /** The session. */
  session_id: string;
  /** Whether the person is there. */
  status?: "active" | "idle";
  /** What the person is doing. With `editing` they are taken to change the field they are at. */
  activity?: string | null;
  /** Where the person is. */
  focus?: Focus | null;
  /** Fields with a change that the person has not sent yet: whoever starts on one is told. */
  drafts?: Place[] | null;
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

/** Two people are about to clash at a field: told to both of them, once, and to nobody else. `user_id` of the envelope is whoever came last. Warnings may be left out where they come too fast. */
export interface PresenceOverlap {
  /** The record. */
  record_id: string;
  /** The record's field. */
  field_name: string;
  /** They are at one field; or one started on what the other has an unsent change for, has changed since the last sign-off, or has a candidate for in an open conflict. */
  cause: "same_field" | "unsent_change" | "unreviewed_change" | "open_conflict";
  /** Who; the one who came last stands last. */
  people: Involved[];
  /** The version that the other one made, for `unreviewed_change`. */
  version?: number;
  /** The conflict. */
  conflict_id?: string;
}

/** `presence.overlap`: Two people are about to clash at a field: told to both of them, once, and to nobody else. */
export interface PresenceOverlapEnvelope {
  message_type: "presence.overlap";
  /** The session. */
  session_id: string | null;
  /** The session's project. */
  project_id: string | null;
  /** Who did it; `system` for what happened by itself. */
  user_id: string;
  /** When. */
  timestamp: string;
  data: PresenceOverlap;
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
  /** The path that was asked for; `/` where the request could not be read. */
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

/** A project's rules: sessions that are created from now on start with them. */
export interface ProjectRules {
  /** The version; 0 are the defaults. */
  version: number;
  /** The rules. */
  rules: Rule[];
  /** The project whose members may enter. */
  project_id: string;
  /** Who saved them; null: nobody has yet. */
  saved_by: string | null;
  /** When. */
  saved_at: string | null;
  /** What was said with them. */
  comment: string | null;
}

/** All rules, in order. */
export interface ProjectRulesBody {
  /** The rules. */
  rules: Rule[];
  /** The version that the author saw; 0: there was none yet. */
  base_version: number;
  /** Why they were changed. */
  comment?: string;
}

/** One version of a project's rules. */
export interface ProjectRulesVersion {
  /** The version. */
  version: number;
  /** Who saved it. */
  saved_by: string;
  /** When. */
  saved_at: string;
  /** What was said with it. */
  comment: string | null;
}

/** The versions of a project's rules, newest first. */
export interface ProjectRulesVersions {
  /** The versions. */
  items: ProjectRulesVersion[];
}

/** Everything was read. */
export interface ReadAllBody {
  /** Only of this project; without it, of every project of yours. */
  project_id?: string;
  /** Only what happened until then: `at` of the newest that was shown. */
  until?: string;
}

/** How CSVs are read. Null, or a member that is not there: found out from the file. */
export interface ReadAs {
  /** Which column is the date, amount, debit, credit, direction, currency, description, reference, external_id; empty: there is none. */
  columns?: Record<string, string>;
  /** Columns to leave out. */
  ignore?: string[];
  /** Another name for the field that a column becomes. */
  rename?: Record<string, string>;
  /** How dates are written. */
  date_format?: string | null;
  /** The decimal mark of amounts. */
  decimal?: "." | "," | null;
  /** The currency of rows that name none. */
  default_currency?: string | null;
  /** How the text is encoded. */
  encoding?: string | null;
  /** What stands between the columns. */
  delimiter?: string | null;
}

/** The notifications that were read. */
export interface ReadBody {
  /** The notifications. */
  notification_ids: string[];
}

/** They are read. */
export interface ReadDone {
  /** How many were not read before. */
  changed: number;
  /** How many are not read now. 1,000 stands for so many and more. */
  unread: number;
}

/** Why. */
export interface ReasonBody {
  /** Why; sending back and opening again require it. */
  reason?: string;
}

/** The matching run of a session. */
export interface Reconciliation {
  /** Matched records. */
  matched: number;
  /** Records in suggested matches. */
  suggested: number;
  /** Records set aside as exceptions. */
  exceptions: number;
  /** Excluded records. */
  excluded: number;
  /** Confirmed matches. */
  matches_confirmed: number;
  /** Suggested matches. */
  matches_suggested: number;
  /** How far it is. */
  status: "not_started" | "queued" | "running" | "paused" | "completed" | "failed" | "cancelled";
  /** The run. */
  run_id?: string;
  /** Who started it. */
  started_by?: string;
  /** When. */
  started_at?: string;
  /** When it last moved. */
  updated_at?: string;
  /** The version of the rules it works by. */
  rules_version?: number;
  /** Records of the session. */
  total?: number;
  /** Records it is done with. */
  processed?: number;
  /** Records a second. */
  rate?: number;
  /** How long it will take, about; null when not known. */
  seconds_left?: number | null;
  /** Matches left out because people held their records. */
  left_out?: number;
  /** -1 where the statement counts the other way. */
  statement_sign?: number;
  /** Why it failed or was cancelled. */
  message?: string;
}

/** `reconciliation.approved`: Signed. `reconciliation.reviewed`: another signature is needed; `reconciliation.approved`: that was the last. */
export interface ReconciliationApprovedEnvelope {
  message_type: "reconciliation.approved";
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
  data: Approved;
}

/** `reconciliation.cancelled`: How far the run is. */
export interface ReconciliationCancelledEnvelope {
  message_type: "reconciliation.cancelled";
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
  data: RunMoved;
}

/** `reconciliation.completed`: How far the run is. */
export interface ReconciliationCompletedEnvelope {
  message_type: "reconciliation.completed";
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
  data: RunMoved;
}

/** `reconciliation.configured`: How the sign-off goes was changed. */
export interface ReconciliationConfiguredEnvelope {
  message_type: "reconciliation.configured";
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
  data: Configured;
}

/** As `acks.ReconciliationDone`, which cannot be named here: it shows the reconciliation to whoever joins. */
export interface ReconciliationDone {
  /** Always true. */
  ok?: boolean;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
}

/** `reconciliation.failed`: How far the run is. */
export interface ReconciliationFailedEnvelope {
  message_type: "reconciliation.failed";
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
  data: RunMoved;
}

/** `reconciliation.paused`: How far the run is. */
export interface ReconciliationPausedEnvelope {
  message_type: "reconciliation.paused";
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
  data: RunMoved;
}

/** `reconciliation.progress`: How far the run is. */
export interface ReconciliationProgressEnvelope {
  message_type: "reconciliation.progress";
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
  data: RunMoved;
}

/** `reconciliation.rejected`: Sent back, or opened again. */
export interface ReconciliationRejectedEnvelope {
  message_type: "reconciliation.rejected";
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
  data: SentBack;
}

/** `reconciliation.reopened`: Sent back, or opened again. */
export interface ReconciliationReopenedEnvelope {
  message_type: "reconciliation.reopened";
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
  data: SentBack;
}

/** `reconciliation.resumed`: How far the run is. */
export interface ReconciliationResumedEnvelope {
  message_type: "reconciliation.resumed";
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
  data: RunMoved;
}

/** `reconciliation.reviewed`: Signed. `reconciliation.reviewed`: another signature is needed; `reconciliation.approved`: that was the last. */
export interface ReconciliationReviewedEnvelope {
  message_type: "reconciliation.reviewed";
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
  data: Approved;
}

/** `reconciliation.rules_changed`: The rules were changed. */
export interface ReconciliationRulesChangedEnvelope {
  message_type: "reconciliation.rules_changed";
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
  data: RulesChanged;
}

/** `reconciliation.started`: A run was started. */
export interface ReconciliationStartedEnvelope {
  message_type: "reconciliation.started";
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
  data: RunStarted;
}

/** `reconciliation.submitted`: Submitted for review. */
export interface ReconciliationSubmittedEnvelope {
  message_type: "reconciliation.submitted";
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
  data: Submitted;
}

/** Records were given to somebody. */
export interface RecordAssigned {
  /** The records. */
  record_ids: string[];
  /** Who; null is nobody. */
  assignee: string | null;
  /** As the one who asked was answered. */
  results: ItemResult[];
}

/** `record.assigned`: Records were given to somebody. */
export interface RecordAssignedEnvelope {
  message_type: "record.assigned";
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
  data: RecordAssigned;
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

/** Set records aside, or take that back. */
export interface RecordStatusBody {
  /** The records; each is answered for. */
  record_ids: string[];
  /** What they become. */
  status: "exception" | "excluded" | "unmatched";
  /** Why. Required, but to take it back. */
  reason?: string;
}

/** Records were set aside, or that was taken back. */
export interface RecordStatusChanged {
  /** The records. */
  record_ids: string[];
  /** What they are. */
  status: "exception" | "excluded" | "unmatched";
  /** Each record's change. */
  changes: StatusChange[];
  /** As the one who asked was answered. */
  results: ItemResult[];
  /** Why. */
  reason?: string;
}

/** `record.status_changed`: Records were set aside, or that was taken back. */
export interface RecordStatusChangedEnvelope {
  message_type: "record.status_changed";
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
  data: RecordStatusChanged;
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

/** Reject suggested matches: no run suggests them again. */
export interface RejectMatches {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The matches; each is answered for. */
  match_ids: string[];
  /** Why. */
  reason?: string;
}

/** Send it back. */
export interface RejectSubmission {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** Why. Required: without it the answer is `reason_required`. */
  reason?: string;
}

/** What is said with it. */
export interface RemarkBody {
  /** For those who read it. */
  comment?: string;
}

/** Undo confirmed matches: their records are open again. */
export interface RemoveMatches {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The matches; each is answered for. */
  match_ids: string[];
  /** Why. */
  reason?: string;
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

/** Open again what was signed off. */
export interface Reopen {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** Why. Required: without it the answer is `reason_required`. */
  reason?: string;
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
  /** What was suggested at that moment; absent where nothing was. */
  suggestion?: Suggested;
  /** Whether the field was set to what was suggested. */
  followed_suggestion?: boolean;
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

/** Let a paused run go on. */
export interface ResumeRun {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** Why somebody's tokens are revoked. */
export interface Revoke {
  /** Why; kept with the revocation. */
  reason?: string;
}

/** Whose tokens are not believed any more. */
export interface Revoked {
  /** The person. */
  user_id: string;
  /** Where. */
  project_id: string;
  /** Tokens issued up to this moment are not believed. */
  issued_before: string;
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

/** A rule of matching. Rules apply in order; what one has matched is gone for the next. */
export interface Rule {
  /** Names the rule. */
  rule_id: string;
  /** What people read. */
  name: string;
  /** What is matched: two records, a reversal, records of one reference, or that add up. */
  kind: "pair" | "reversal" | "reference" | "sum";
  /** Whether it applies. */
  enabled?: boolean;
  /** Minor units by which sums may differ. */
  amount_tolerance?: number;
  /** Percent by which sums may differ. */
  amount_percent?: number;
  /** Days by which the statement may be earlier. */
  days_before?: number;
  /** Days by which the statement may be later. */
  days_after?: number;
  /** How alike the texts must be: 0, not at all, to 100. */
  text_similarity?: number;
  /** Whether a reference in common is needed. */
  reference_required?: boolean;
  /** Records of one side of a group. */
  max_records?: number;
  /** The least probability of what is suggested. */
  min_score?: number;
  /** Whether what is unambiguous is confirmed at once. */
  auto_confirm?: boolean;
  /** The probability from which it is. */
  auto_score?: number;
}

/** All rules, in order. */
export interface RulesBody {
  /** The rules. */
  rules: Rule[];
  /** The version that the author saw; 0 are the defaults. */
  base_version: number;
}

/** The rules were changed. */
export interface RulesChanged {
  /** The version; 0 are the defaults. */
  version: number;
  /** The rules. */
  rules: Rule[];
}

/** The rules' version now. */
export interface RulesDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The version. */
  version?: number;
}

/** The rules' version now. */
export interface RulesSet {
  /** Always true. */
  ok?: boolean;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The version. */
  version?: number;
}

/** The run, started, paused, resumed or cancelled. */
export interface RunControlled {
  /** Always true. */
  ok?: boolean;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The run. */
  run_id?: string;
  /** Where it stood already. */
  status?: "not_started" | "queued" | "running" | "paused" | "completed" | "failed" | "cancelled";
}

/** The run, started, paused, resumed or cancelled. */
export interface RunDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The run. */
  run_id?: string;
  /** Where it stood already. */
  status?: "not_started" | "queued" | "running" | "paused" | "completed" | "failed" | "cancelled";
}

/** How far the run is. */
export interface RunMoved {
  /** Matched records. */
  matched: number;
  /** Records in suggested matches. */
  suggested: number;
  /** Records set aside as exceptions. */
  exceptions: number;
  /** Excluded records. */
  excluded: number;
  /** Confirmed matches. */
  matches_confirmed: number;
  /** Suggested matches. */
  matches_suggested: number;
  /** The run. */
  run_id: string;
  /** Records of the session. */
  total: number;
  /** Records it is done with. */
  processed: number;
  /** Records a second. */
  rate: number;
  /** How long it will take, about; null when not known. */
  seconds_left: number | null;
  /** -1 where the statement counts the other way. */
  statement_sign: number;
  /** Which instance works on it; null: none. */
  runner: string | null;
  /** Until when it holds it, in milliseconds since 1970. */
  lease_until: number;
  /** The rules it works by from now on; when it is resumed. */
  rules_version?: number;
  /** Matches left out because people held their records. */
  left_out?: number;
  /** What went wrong. */
  message?: string;
  /** Why. */
  reason?: string;
}

/** A run was started. */
export interface RunStarted {
  /** The run. */
  run_id: string;
  /** Where it stands. */
  status: "not_started" | "queued" | "running" | "paused" | "completed" | "failed" | "cancelled";
  /** Who started it. */
  started_by: Person;
  /** The rules it works by. */
  rules_version: number;
}

/** Ask how far the reconciliation is. */
export interface RunStatus {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
}

/** Sent back, or opened again. */
export interface SentBack {
  /** The person's name. */
  name: string;
  /** Why. */
  reason: string;
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
  /** The project's rules of matching, as they were; without it, the defaults. */
  rules?: FirstRules;
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
  /** How many records it has, or had a few seconds ago. */
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

/** A session in a list, as this process knows it; one that is open in another one: with Redis as it stands there, else as of its last checkpoint. */
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

/** A person's name was erased from the session: from now on they are told by their id alone. */
export interface SessionNameErased {
  /** The person. */
  user_id: string;
}

/** `session.name_erased`: A person's name was erased from the session: from now on they are told by their id alone. */
export interface SessionNameErasedEnvelope {
  message_type: "session.name_erased";
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
  data: SessionNameErased;
}

/** The session's rules, in order. */
export interface SessionRules {
  /** The version; 0 are the defaults. */
  version: number;
  /** The rules. */
  rules: Rule[];
  /** Which version of the project's rules they are; null: the session has rules of its own, or the defaults. */
  project_version: number | null;
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

/** Set records aside, or take that back. The other statuses follow from matches. */
export interface SetRecordStatus {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The records; each is answered for. */
  record_ids: string[];
  /** What they become. */
  status: "exception" | "excluded" | "unmatched";
  /** Why. Required, but to take it back. */
  reason?: string;
}

/** Set all rules, in order. Not while a run is queued or running. */
export interface SetRules {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The rules. */
  rules: Rule[];
  /** The version that the author saw; 0 are the defaults. */
  base_version: number;
}

/** How the sign-off goes. What is left out stays as it is. Amounts in minor units of each currency. */
export interface Settings {
  /** Unexplained difference that may be submitted. */
  threshold?: number;
  /** From here on two signatures are needed; null: never. */
  second_signature_above?: number | null;
  /** Sign off by rule when nothing is open and nothing unexplained. */
  auto_certify?: boolean;
  /** Only up to this amount; null: any. */
  auto_certify_up_to?: number | null;
  /** When it has to be done; null: not said. */
  due_date?: string | null;
  /** Nothing may change any more. */
  period_locked?: boolean;
}

/** What the records of one side come to, in one currency. */
export interface SideSum {
  /** Which side. */
  source: "ledger" | "statement";
  /** The currency. */
  currency: string;
  /** The sum. */
  amount: string;
}

/** The records of a match, by side. */
export interface Sides {
  /** Records of the ledger. */
  ledger: string[];
  /** Records of the statement. */
  statement: string[];
}

/** A signature. One that does not hold any more stays visible. */
export interface SignOff {
  /** Who. */
  user_id: string;
  /** The person's name. */
  name: string;
  /** In which role. */
  role: string;
  /** When. */
  at: string;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** Whether it was the last one needed. */
  final: boolean;
  /** With it. */
  comment: string | null;
  /** The `seq` of the commit since which it does not hold. */
  suspended_by: number | null;
}

/** Done, by the commit with this `seq`. */
export interface SignOffDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
}

/** Whether the signature was the last one needed. */
export interface Signed {
  /** Always true. */
  ok?: boolean;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** Whether it is signed off now. */
  final?: boolean;
}

/** Whether the signature was the last one needed. */
export interface SignedDone {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** Whether it is signed off now. */
  final?: boolean;
}

/** The new matches. */
export interface SplitBody {
  /** The new matches. */
  parts: Sides[];
  /** Needed where a part does not net to zero. */
  reason?: string;
}

/** Make several matches of one. Records that no part names are open again. */
export interface SplitMatch {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** The match. */
  match_id: string;
  /** The new matches. */
  parts: Sides[];
  /** Needed where a part does not net to zero. */
  reason?: string;
}

/** Start a matching run. */
export interface StartRun {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
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

/** How far the reconciliation is. */
export interface Status {
  /** Always true. */
  ok?: boolean;
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The matching run. */
  run: Reconciliation;
  /** The way to the sign-off. */
  workflow: Workflow;
  /** The version of the rules. */
  rules_version: number;
  /** Records of the session. */
  records: number;
  /** What neither matches nor exceptions explain, by currency. While an import runs it may be a few seconds old. */
  difference: Record<string, string>;
}

/** One record whose status changed. */
export interface StatusChange {
  /** The record. */
  record_id: string;
  /** The side. */
  source: string;
  /** Before. */
  was: "exception" | "excluded" | "unmatched";
  /** Now. */
  status: "exception" | "excluded" | "unmatched";
  /** Of the amount. */
  currency: string;
  /** What is settled by it. */
  amount: string | null;
}

/** How far the reconciliation is. */
export interface StatusNow {
  /** Place in the session's log: 1, 2, 3, … */
  seq: number;
  /** The matching run. */
  run: Reconciliation;
  /** The way to the sign-off. */
  workflow: Workflow;
  /** The version of the rules. */
  rules_version: number;
  /** Records of the session. */
  records: number;
  /** What neither matches nor exceptions explain, by currency. While an import runs it may be a few seconds old. */
  difference: Record<string, string>;
}

/** Submit for review; the content is frozen from then on. */
export interface Submit {
  /** The session. */
  session_id: string;
  /** Chosen by the client: a request sent again with the same id gets the first one's answer. */
  request_id?: string;
  /** For those who sign. */
  comment?: string;
}

/** Submitted for review. */
export interface Submitted {
  /** The person's name. */
  name: string;
  /** Records. */
  records?: number;
  /** Records that are neither matched nor set aside. */
  open_records?: number;
  /** Records set aside as exceptions. */
  exceptions?: number;
  /** Unexplained, by currency. */
  difference?: Record<string, string>;
  /** What was said with it. */
  comment?: string;
}

/** What was suggested. */
export interface Suggested {
  /** The value that the field would get. */
  value: JsonValue;
  /** Percent: how sure that is. */
  confidence: number;
  /** What speaks for it most. */
  code: "counterpart" | "balances" | "document" | "as_imported" | "agreed" | "own_later" | "informed" | "slip" | "keeps_both" | "same_words" | "fuller" | "like_source" | "role" | "precedent" | "filled" | "reasoned";
}

/** How a conflict could be decided. To follow it, send `resolve` with its `strategy` and `edit_id`, and with its `value` for the strategy `custom`. */
export interface Suggestion {
  /** The value that the field would get. */
  value: JsonValue;
  /** Percent: how sure that is. */
  confidence: number;
  /** What speaks for it most. */
  code: "counterpart" | "balances" | "document" | "as_imported" | "agreed" | "own_later" | "informed" | "slip" | "keeps_both" | "same_words" | "fuller" | "like_source" | "role" | "precedent" | "filled" | "reasoned";
  /** How. */
  strategy: "keep_current" | "take_candidate" | "merge" | "custom";
  /** The candidate that is meant, for `take_candidate` and `merge`. */
  edit_id?: string;
  /** One sentence, for people: what speaks for it most. */
  reason: string;
  /** All that speaks for it, the strongest first. */
  evidence: Evidence[];
  /** What speaks for other values, the strongest first. */
  against: Against[];
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
  /** When it ended: the time of the commit. */
  expires_at: string;
}

/** What is unread of the session's project. */
export interface Unread {
  /** How many. 1,000 stands for so many and more. */
  unread: number;
  /** The newest 20 of them, newest first. */
  items: Notification[];
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
  /** Fields with a change that the person has not sent; absent without any. */
  drafts?: Place[];
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

/** The way to the sign-off. */
export interface Workflow {
  /** Where it stands. */
  status: "not_started" | "in_progress" | "in_review" | "approved";
  /** Who changed what is to be signed: they may not sign. */
  prepared_by: string[];
  /** Who submitted it. */
  submitted_by: string | null;
  /** When. */
  submitted_at: string | null;
  /** Why it was sent back or opened again. */
  reason: string | null;
  /** All signatures. */
  signoffs: SignOff[];
  /** How it goes. */
  settings: Settings;
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
  match_confirm: { request: ConfirmMatches; ack: BulkDone };
  match_reject: { request: RejectMatches; ack: BulkDone };
  match_create: { request: MakeMatch; ack: BulkDone };
  match_remove: { request: RemoveMatches; ack: BulkDone };
  match_split: { request: SplitMatch; ack: BulkDone };
  record_status: { request: SetRecordStatus; ack: BulkDone };
  record_assign: { request: AssignRecords; ack: BulkDone };
  rules_set: { request: SetRules; ack: RulesSet };
  reconciliation_start: { request: StartRun; ack: RunControlled };
  reconciliation_pause: { request: PauseRun; ack: RunControlled };
  reconciliation_resume: { request: ResumeRun; ack: RunControlled };
  reconciliation_cancel: { request: CancelRun; ack: RunControlled };
  reconciliation_status: { request: RunStatus; ack: Status };
  reconciliation_configure: { request: Configure; ack: ReconciliationDone };
  reconciliation_submit: { request: Submit; ack: ReconciliationDone };
  reconciliation_approve: { request: Approve; ack: Signed };
  reconciliation_reject: { request: RejectSubmission; ack: ReconciliationDone };
  reconciliation_reopen: { request: Reopen; ack: ReconciliationDone };
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
  "session.name_erased": SessionNameErased;
  "session.ended": SessionEnded;
  "session.expired": SessionExpired;
  "match.suggested": MatchesChanged;
  "match.confirmed": MatchesChanged;
  "match.rejected": MatchesChanged;
  "match.created": MatchesChanged;
  "match.removed": MatchesChanged;
  "match.split": MatchesChanged;
  "record.status_changed": RecordStatusChanged;
  "record.assigned": RecordAssigned;
  "reconciliation.started": RunStarted;
  "reconciliation.paused": RunMoved;
  "reconciliation.resumed": RunMoved;
  "reconciliation.progress": RunMoved;
  "reconciliation.completed": RunMoved;
  "reconciliation.failed": RunMoved;
  "reconciliation.cancelled": RunMoved;
  "reconciliation.rules_changed": RulesChanged;
  "reconciliation.configured": Configured;
  "reconciliation.submitted": Submitted;
  "reconciliation.reviewed": Approved;
  "reconciliation.approved": Approved;
  "reconciliation.rejected": SentBack;
  "reconciliation.reopened": SentBack;
  "presence.joined": Member;
  "presence.updated": Member;
  "presence.left": PresenceLeft;
  "presence.overlap": PresenceOverlap;
  "notification.token_expiring": TokenExpiring;
  "notification.token_expired": TokenExpired;
  "notification.access_revoked": AccessRevoked;
  "notification.assigned": Notification;
  "notification.mentioned": Notification;
  "notification.conflict": Notification;
  "notification.conflict_resolved": Notification;
  "notification.lock_taken_over": Notification;
  "notification.signoff_wanted": Notification;
  "notification.approved": Notification;
  "notification.rejected": Notification;
  "notification.reopened": Notification;
  "notification.run_finished": Notification;
}

/** What the server sends, by event name. */
export interface ServerEvents {
  edit: EditAppliedEnvelope | EditMergedEnvelope | EditBatchAppliedEnvelope;
  lock: LockAcquiredEnvelope | LockRenewedEnvelope | LockReleasedEnvelope | LockExpiredEnvelope | LockTakenOverEnvelope;
  conflict: ConflictDetectedEnvelope | ConflictExtendedEnvelope | ConflictResolvedEnvelope;
  comment: CommentAddedEnvelope | CommentResolvedEnvelope;
  record: RecordImportedEnvelope | RecordStatusChangedEnvelope | RecordAssignedEnvelope;
  session: SessionCreatedEnvelope | SessionUpdatedEnvelope | SessionNameErasedEnvelope | SessionEndedEnvelope | SessionExpiredEnvelope;
  match: MatchSuggestedEnvelope | MatchConfirmedEnvelope | MatchRejectedEnvelope | MatchCreatedEnvelope | MatchRemovedEnvelope | MatchSplitEnvelope;
  reconciliation: ReconciliationStartedEnvelope | ReconciliationPausedEnvelope | ReconciliationResumedEnvelope | ReconciliationProgressEnvelope | ReconciliationCompletedEnvelope | ReconciliationFailedEnvelope | ReconciliationCancelledEnvelope | ReconciliationRulesChangedEnvelope | ReconciliationConfiguredEnvelope | ReconciliationSubmittedEnvelope | ReconciliationReviewedEnvelope | ReconciliationApprovedEnvelope | ReconciliationRejectedEnvelope | ReconciliationReopenedEnvelope;
  presence: PresenceJoinedEnvelope | PresenceUpdatedEnvelope | PresenceLeftEnvelope | PresenceOverlapEnvelope;
  notification: NotificationTokenExpiringEnvelope | NotificationTokenExpiredEnvelope | NotificationAccessRevokedEnvelope | NotificationAssignedEnvelope | NotificationMentionedEnvelope | NotificationConflictEnvelope | NotificationConflictResolvedEnvelope | NotificationLockTakenOverEnvelope | NotificationSignoffWantedEnvelope | NotificationApprovedEnvelope | NotificationRejectedEnvelope | NotificationReopenedEnvelope | NotificationRunFinishedEnvelope;
}

/** Envelopes of commits: the ones with a `seq`. */
export type CommitEnvelope = EditAppliedEnvelope | EditMergedEnvelope | EditBatchAppliedEnvelope | LockAcquiredEnvelope | LockRenewedEnvelope | LockReleasedEnvelope | LockExpiredEnvelope | LockTakenOverEnvelope | ConflictDetectedEnvelope | ConflictExtendedEnvelope | ConflictResolvedEnvelope | CommentAddedEnvelope | CommentResolvedEnvelope | RecordImportedEnvelope | SessionCreatedEnvelope | SessionUpdatedEnvelope | SessionNameErasedEnvelope | SessionEndedEnvelope | SessionExpiredEnvelope | MatchSuggestedEnvelope | MatchConfirmedEnvelope | MatchRejectedEnvelope | MatchCreatedEnvelope | MatchRemovedEnvelope | MatchSplitEnvelope | RecordStatusChangedEnvelope | RecordAssignedEnvelope | ReconciliationStartedEnvelope | ReconciliationPausedEnvelope | ReconciliationResumedEnvelope | ReconciliationProgressEnvelope | ReconciliationCompletedEnvelope | ReconciliationFailedEnvelope | ReconciliationCancelledEnvelope | ReconciliationRulesChangedEnvelope | ReconciliationConfiguredEnvelope | ReconciliationSubmittedEnvelope | ReconciliationReviewedEnvelope | ReconciliationApprovedEnvelope | ReconciliationRejectedEnvelope | ReconciliationReopenedEnvelope;
