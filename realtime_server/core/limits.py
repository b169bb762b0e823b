"""Bounds on everything that a client can make grow inside one session.

They are part of the rules, not settings: two instances that decided with different bounds would disagree on a log.
"""

from __future__ import annotations

from typing import Final

#: Characters of a text value. A bank narrative has at most 390 (SWIFT MT940 field 86: 6 lines of 65).
MAX_TEXT: Final = 4_000
#: Items of a list value (tags) and characters of each.
MAX_LIST_ITEMS: Final = 100
MAX_LIST_ITEM_TEXT: Final = 200
#: Characters of a field's name.
MAX_FIELD_NAME: Final = 64
#: Fields of one record, imported and added ones together.
MAX_FIELDS: Final = 100
#: Integers beyond this are not exact in a JavaScript client (ECMA-262, Number.MAX_SAFE_INTEGER).
MAX_INTEGER: Final = 2**53 - 1
#: Fractions are held to sizes that every JSON writer prints in the same way, without an exponent (RFC 8785, 3.2.2.3).
MIN_FRACTION: Final = 1e-5
MAX_FRACTION: Final = 1e15
#: Earlier values kept with a field: what a late three-way merge or an undo can still reach back to. An undo is itself a
#: change, so the last ten edits of one field can all be undone.
MAX_FIELD_HISTORY: Final = 20
#: Characters kept with one record: values, earlier values, candidates. A document of MongoDB has at most 16 MiB, and a
#: character takes at most 4 bytes of UTF-8. Values of up to `SMALL_VALUE` are not weighed when they are set: all the
#: fields and their histories full of them come to half of this again.
MAX_RECORD_SIZE: Final = 1_000_000
SMALL_VALUE: Final = 250
#: What a candidate takes beside its value and its reason: ids, instants, names of members.
CANDIDATE_OVERHEAD: Final = 300
#: Fields that one person's undo stack may point at, and the same for redo.
MAX_UNDO_FIELDS: Final = 200
#: People whose undo stacks are kept; of more, those who edited last.
MAX_UNDO_USERS: Final = 100
#: Edits in one batch.
MAX_BATCH: Final = 100
#: Candidates of one conflict. Further ones are refused as `overloaded`.
MAX_CANDIDATES: Final = 1_000
#: Open conflicts of one session.
MAX_OPEN_CONFLICTS: Final = 10_000
#: Locks that one person may hold at a time in a session.
MAX_LOCKS_PER_USER: Final = 100
#: Locks of one session.
MAX_LOCKS: Final = 10_000
#: Milliseconds of the longest lease that can be written down: a year. The setting is far below.
MAX_LEASE: Final = 366 * 24 * 3600 * 1000
#: Resolved conflicts remembered by id, so that a late `resolve` is told `already_resolved`.
MAX_RESOLVED: Final = 10_000
#: Fields and pairs of roles for which it is counted how conflicts were decided, and the count at which all is halved.
MAX_PRECEDENTS: Final = 500
MAX_PRECEDENT_WEIGHT: Final = 64
#: Values of one conflict that a suggestion weighs: the current one, and the latest that differ.
MAX_OPTIONS: Final = 8
#: Records of a match that a suggestion looks at.
MAX_PEERS: Final = 20
#: Clues that a suggestion names for its value, and against it.
MAX_CLUES: Final = 6
#: Comments that can still be answered or resolved; older ones stay in the log.
MAX_COMMENTS: Final = 10_000
MAX_COMMENT_TEXT: Final = 4_000
MAX_MENTIONS: Final = 50
#: Characters of an id or a name of a person or a session.
MAX_NAME: Final = 200
MAX_REASON: Final = 1_000
#: People ever admitted to one session.
MAX_PARTICIPANTS: Final = 1_000
#: People whose erased names a session keeps out: as many as can have taken part.
MAX_NAMELESS: Final = MAX_PARTICIPANTS

#: Work allowed to one side of a text merge, in pairs of equal words within the part that changed. 25,000 (some 150
#: words rewritten, counting the spaces between them) take about 10 ms; beyond it a person merges.
MAX_MERGE_WORK: Final = 25_000

#: Records of one match, both sides together: a day's card receipts paid out as one sum.
MAX_MATCH_RECORDS: Final = 200
#: Matches or records that one bulk action names, and matches of one chunk of a run.
MAX_BULK: Final = 500
#: Sentences that say why records belong together, and characters of each.
MAX_REASONS: Final = 10
MAX_REASON_TEXT: Final = 200
#: Rejected suggestions that a record remembers.
MAX_REJECTED: Final = 20
#: Signatures of one session, suspended ones included; older ones stay in the log.
MAX_SIGNOFFS: Final = 100
