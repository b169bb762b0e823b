"""How REST requests are answered: JSON objects, pages, and problems (RFC 9457)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from schemas import acks, views
from schemas import common as c
from schemas.common import Message, Person, mapping, nested
from schemas.envelopes import Envelope
from schemas.rest_requests import FORMATS, MAX_PAGE, SOURCES, ReadAs, moment, project_id
from schemas.strict import Choice, Flag, Integer, Listed, Number, Text


def _items(schema: type[Message], description: str) -> Listed:
    return Listed(fields.Nested(schema), description, [], maximum=MAX_PAGE, required=True)


def _names(values: fields.Field[Any], description: str, example: Any) -> fields.Dict:
    return mapping(fields.String(), values, description, example)


class Problem(Message):
    """Why a request was refused (RFC 9457). The code is the one that the socket gives."""

    type = Text("A page that explains the code.", "/api/docs#error-locked", maximum=200, required=True)
    title = Text("What the code means.", "Locked", maximum=200, required=True)
    status = Integer("The HTTP status.", 423, minimum=400, maximum=599, required=True)
    detail = Text("One sentence, for people.", "Alice Adams is working on this record", maximum=4_000, required=True)
    instance = Text("The path that was asked for; `/` where the request could not be read.",
                    "/api/collaboration/sessions/demo", maximum=8_192, required=True)  # fmt: skip
    code = Choice("Stable, for programs.", acks.ERROR_CODES, required=True)
    retryable = Flag("Whether the same request may succeed later.", True, required=True)
    request_id = Text("Names this request in the server's log; also the header `X-Request-ID`.", "0d4f7a9c", maximum=64,
                      required=True)  # fmt: skip
    details = fields.Dict(
        keys=fields.String(),
        metadata={
            "description": "More about it. `invalid` has `fields`: what is wrong, by field.",
            "example": {"fields": {"base_version": ["Not a valid integer."]}},
        },
    )


class Page(Message):
    """One page of a list."""

    next_cursor = Text("`cursor` of the next page; null after the last.", "WyJsZWRnZXItMDAwMDE3Il0", maximum=1_000,
                       required=True, allow_none=True)  # fmt: skip


class SessionListed(Message):
    """A session in a list, as this process knows it; one that is open in another one: with Redis as it stands there,
    else as of its last checkpoint.
    """

    session_id = c.session_id()
    project_id = project_id(required=True)
    name = Text("The session's name.", "October close", maximum=c.MAX_NAME, minimum=0, required=True)
    status = Choice("Ended and expired sessions can be read, not changed.", ("active", "ended", "expired"),
                    required=True)  # fmt: skip
    created_by = c.user_id("Who created it.")
    created_at = c.instant("When it was created.")
    last_activity = c.instant("When a person last did anything in it.")
    expires_at = c.instant("When it expires if nothing happens until then; null: never.", allow_none=True)
    seq = c.seq("Its newest commit.")


class SessionsPage(Page):
    """Sessions by id."""

    items = _items(SessionListed, "The sessions.")


class SessionDetail(SessionListed):
    """A session, as of ``seq``."""

    field_policies = mapping(
        c.field_name(required=False),
        Choice("What becomes of an edit of a field that has moved on.", c.POLICIES),
        "Fields whose policy differs from what their type implies.",
        {"reference": "last_writer_wins"},
    )
    role = c.role()
    records = Integer("How many records it has, or had a few seconds ago.", 1_000, required=True)
    open_conflicts = Integer("How many conflicts are open.", 2, required=True)
    locks = Listed(fields.Nested(views.LockView), "Locks held now.", [], maximum=100_000, required=True)


class User(views.Member):
    """A person who is in the session now, or ever was (without connections)."""

    present = Flag("Whether the person is in the session now.", True, required=True)


class Revoked(Message):
    """Whose tokens are not believed any more."""

    user_id = c.user_id()
    project_id = project_id("Where.", required=True)
    issued_before = c.instant("Tokens issued up to this moment are not believed.")


class Users(Message):
    """The people of a session."""

    items = Listed(fields.Nested(User), "Who is there, and who ever was.", [], maximum=10_000, required=True)


class RecordView(Message):
    """A record. ``seq`` is its version as a whole, and its ETag."""

    record_id = c.record_id()
    source = Choice("Which side it is of.", SOURCES, required=True)
    external_id = Text("How it is called where it came from.", "INV-17", maximum=c.MAX_RECORD_ID, minimum=0,
                       required=True)  # fmt: skip
    values = _names(c.value("A value.", required=False), "All its fields.",
                    {"amount": "10.50", "currency": "GBP", "date": "2026-11-01", "status": "unmatched"})  # fmt: skip
    versions = _names(Integer("A version.", 42), "Versions of the fields that were set since the import; the others "
                      "have 0.", {"amount": 42})  # fmt: skip
    conflicts = _names(c.conflict_id(required=False), "Fields with an open conflict.",
                       {"amount": "conflict-43"})  # fmt: skip
    seq = Integer("The last commit that changed it; 0 as imported.", 42, required=True)


class RecordsPage(Page):
    """Records by id. All pages of one listing show them as of the same ``as_of``."""

    items = _items(RecordView, "The records.")
    as_of = c.seq("The commit as of which they are shown: what came after it, `sync` or the history brings.")


class RowRefused(Message):
    """A row that could not be taken."""

    line = Integer("Its line in the file, from 1.", 17, required=True)
    field = Text("What is wrong with it; null: the whole row.", "amount", maximum=1_000, minimum=0, required=True,
                 allow_none=True)  # fmt: skip
    message = Text("What is wrong.", "the amount is missing", maximum=4_000, required=True)


class ImportDone(Message):
    """What became of the rows: each is in exactly one of the six counts."""

    source = Choice("Which side.", SOURCES, required=True)
    rows = Integer("All rows.", 500, required=True)
    new = Integer("Became records.", 500, required=True)
    unchanged = Integer("Said nothing new.", 0, required=True)
    changed = Integer("Set fields of records that were there.", 0, required=True)
    conflicting = Integer("Became candidates of conflicts, because a person had changed the field.", 0, required=True)
    kept = Integer("Left a person's value as it is, by the field's policy.", 0, required=True)
    refused = Integer("Could not be taken; see `errors`.", 0, required=True)
    seq = c.seq("The newest commit of this import.")
    format = Choice("What the file was.", FORMATS, required=True)
    saved_mapping = Flag("Whether the project's saved mapping was used.", False, required=True)
    errors = Listed(fields.Nested(RowRefused), "The first 1,000 rows that could not be taken.", [], maximum=1_000,
                    required=True)  # fmt: skip


class ImportMapping(ReadAs):
    """How a project's CSVs of one side are read."""

    project_id = project_id(required=True)
    source = Choice("Which side.", SOURCES, required=True)
    saved_by = c.user_id("Who settled it.")
    saved_at = moment("When.", required=True)


class ImportMappingForgotten(Message):
    """The mapping is not kept any more."""

    forgotten = Flag("Whether there was one.", True, required=True)


class HistoryPage(Page):
    """Commits, oldest first. With a filter a page can be short, even empty: go on while there is a cursor."""

    items = _items(Envelope, "The commits, as they were broadcast.")
    as_of = c.seq("The session's newest commit.")


class Resolution(Message):
    """How a conflict was decided."""

    strategy = Choice("How.", c.STRATEGIES, required=True)
    user_id = c.user_id("Who decided.")
    resolved_at = c.instant("When.")
    seq = c.seq("The commit.")
    value = c.value("What the field was set to.")
    edit_id = c.edit_id("The candidate that was meant.", required=False)
    reason = c.reason("Why.")
    suggestion = nested(views.Suggested, "What was suggested at that moment; absent where nothing was.")
    followed_suggestion = Flag("Whether the field was set to what was suggested.", True)


class ConflictEntry(views.ConflictView):
    """A conflict, open or decided. ``current`` is what the field held when the last candidate came."""

    status = Choice("Whether it is open.", ("open", "resolved"), required=True)
    resolution = nested(Resolution, "How it was decided; null while it is open.", required=True, allow_none=True)


class ConflictsPage(Page):
    """Conflicts, oldest first; of decided ones the newest 10,000."""

    items = _items(ConflictEntry, "The conflicts.")
    as_of = c.seq("The session's newest commit.")


class Participant(Person):
    """A person who was let into the session."""

    role = c.role()
    since = c.instant("When they came, or came to this role.")


class PastSession(Message):
    """The session as it stood."""

    session_id = c.session_id()
    project_id = project_id(required=True)
    name = Text("The session's name.", "October close", maximum=c.MAX_NAME, minimum=0, required=True)
    status = Choice("How it was.", ("active", "ended", "expired"), required=True)
    participants = Listed(fields.Nested(Participant), "Who had been let in.", [], maximum=1_000, required=True)
    locks = Listed(fields.Nested(views.LockView), "Leases in the log then.", [], maximum=100_000, required=True)
    open_conflicts = Integer("How many conflicts were open.", 2, required=True)
    hash = Text("The hash of the commit: it seals everything up to it.", "0" * 64, maximum=64, minimum=64,
                required=True)  # fmt: skip


class StatePage(Page):
    """The session as it stood when a commit was made, its records page by page."""

    at = c.seq("The commit.")
    timestamp = c.instant("When it was made.")
    session = nested(PastSession, "The session; null on all pages but the first.", required=True, allow_none=True)
    items = _items(RecordView, "The records.")


class Durations(Message):
    """A distribution of durations, each within 2 % of the exact value. Null where nothing was measured."""

    count = Integer("How many.", 12, required=True)
    median = Number("Seconds.", 42.0, minimum=0, maximum=1e12, required=True, allow_none=True)
    p95 = Number("Seconds.", 600.0, minimum=0, maximum=1e12, required=True, allow_none=True)
    longest = Number("Seconds.", 900.0, minimum=0, maximum=1e12, required=True, allow_none=True)


def _count(description: str) -> Integer:
    return Integer(description, 12, required=True)


def _durations(description: str) -> fields.Nested:
    return nested(Durations, description, required=True)


class EditCounts(Message):
    """Edits that set fields."""

    total = _count("Commits that set fields.")
    applied = _count("Applied as they were sent.")
    merged = _count("Merged by themselves with a newer value.")
    batches = _count("Batches; each counts once.")
    fields_set = _count("Fields set, those of batches one by one.")
    undone = _count("Taken back by their authors.")
    redone = _count("Done again after that.")


class ConflictCounts(Message):
    """Clashes, and how they ended."""

    detected = _count("Conflicts that opened.")
    candidates = _count("Edits kept as candidates.")
    open = _count("Open now.")
    resolved = _count("Decided.")
    by_type = _names(Integer("How many.", 3), "Opened, by what the field holds.", {"money": 3})
    by_policy = _names(Integer("How many.", 3), "Opened, by the field's policy.", {"manual": 3})
    automatic = _count("Clashes that merged by themselves.")
    by_strategy = _names(Integer("How many.", 3), "Decided by people, by strategy.", {"take_candidate": 2})
    share_resolved = Number("Of all clashes, the part that is settled, by itself or by people; null without any.", 0.9,
                            minimum=0, maximum=1, required=True, allow_none=True)  # fmt: skip
    time_to_resolve = _durations("From a conflict's opening to its end.")


class LockCounts(Message):
    """Locks. A refused attempt leaves nothing in the log: how long somebody waited is known by when they got it."""

    acquired = _count("Leases taken.")
    renewed = _count("Leases prolonged.")
    released = _count("Given back.")
    expired = _count("Run out.")
    taken_over = _count("Taken over by reviewers.")
    held = _durations("How long leases lasted, from being taken to their end.")
    waits = _durations("Where a record went from one person to another: from the first one's lease to the other's.")


class Activities(Message):
    """What was done by one person, or on one day."""

    commits = _count("Commits in all.")
    edits = _count("Commits that set fields.")
    conflicts = _count("Edits that clashed and became candidates.")
    resolutions = _count("Conflicts decided.")
    locks = _count("Locks taken.")
    takeovers = _count("Locks taken over.")
    comments = _count("Comments.")


class Analytics(Message):
    """What a session's log says of the work in it."""

    as_of = c.seq("The newest commit that is counted.")
    edits = nested(EditCounts, "Edits.", required=True)
    conflicts = nested(ConflictCounts, "Conflicts.", required=True)
    locks = nested(LockCounts, "Locks.", required=True)
    by_user = _names(fields.Nested(Activities), "By person; `system` for what happened by itself.", {})
    by_day = _names(fields.Nested(Activities), "By day, in UTC.", {})


class CommitDone(acks.Committed):
    """Fulfilled by the commit with this ``seq``, or as things stood at it."""

    class Meta(Message.Meta):
        exclude = ("ok",)


class NameErased(Message):
    """The name is gone."""

    seq = c.seq("The commit that says so.")
    commits = Integer("Commits beside which the name stood.", 7, required=True)


class LockGranted(acks.Locked):
    """The lease."""

    class Meta(Message.Meta):
        exclude = ("ok",)


class LockReturned(acks.Unlocked):
    """The lease is over."""

    class Meta(Message.Meta):
        exclude = ("ok",)


class EditDone(acks.Edited):
    """What became of an edit. It is never dropped."""

    class Meta(Message.Meta):
        exclude = ("ok",)


class EditBatchDone(acks.BatchEdited):
    """All edits were applied."""

    class Meta(Message.Meta):
        exclude = ("ok",)


class ConflictDecided(acks.Resolved):
    """The conflict is closed."""

    class Meta(Message.Meta):
        exclude = ("ok",)


class CommentMade(acks.Commented):
    """The comment's id."""

    class Meta(Message.Meta):
        exclude = ("ok",)
