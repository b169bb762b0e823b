"""What is sent over REST: bodies and query parameters. Where an event of the socket asks the same, it is the same
schema without what stands in the path."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from schemas import common as c
from schemas import requests
from schemas.broadcasts import EPHEMERAL, MESSAGE_TYPES
from schemas.common import Focus, Message, nested
from schemas.strict import Choice, Flag, Integer, Listed, Text, metadata

CURSOR: Final = "[A-Za-z0-9_-]{1,1000}"
MOMENT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?"

RECORD_STATUSES: Final = ("unmatched", "suggested", "matched", "exception", "excluded")
SOURCES: Final = ("ledger", "statement")
FORMATS: Final = ("csv", "json_lines", "ofx", "camt053", "mt940")
#: Columns of a file, as many as can be imported.
MAX_COLUMNS: Final = 100
DURABLE: Final = tuple(name for name in MESSAGE_TYPES if name.partition(".")[0] not in EPHEMERAL)
#: Entries of a page, without and at most.
DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1_000
MAX_EXPIRES_IN: Final = 31_536_000


def project_id(description: str = "The project whose members may enter.", **options: Any) -> Text:
    return Text(description, "demo", maximum=128, line=True, **options)


def moment(description: str, **options: Any) -> Text:
    return Text(description, "2026-11-22T10:00:00Z", maximum=40, pattern=MOMENT, **options)


class Query(Message):
    """Query parameters. Unknown ones are refused."""


class PageQuery(Query):
    """One page of a list."""

    cursor = Text("`next_cursor` of the page before.", None, maximum=1_000, pattern=CURSOR)
    limit = Integer("Entries of a page.", 100, minimum=1, maximum=MAX_PAGE, load_default=DEFAULT_PAGE)


class SessionsQuery(PageQuery):
    """Which sessions to list."""

    project_id = project_id("Only sessions of this project; without it, of every project of yours.")


class EndQuery(Query):
    """How to end a session."""

    reason = c.reason("Why; kept in the audit trail.")


def column_names(description: str, inner: Text, example: dict[str, str]) -> fields.Dict:
    """Names of columns, or of what they mean, and what is said of each."""
    return fields.Dict(
        keys=Text("A name.", "date", maximum=1_000, line=True),
        values=inner,
        validate=validate.Length(max=MAX_COLUMNS),
        metadata=metadata(description, example),
    )


class ReadAs(Message):
    """How CSVs are read. Null, or a member that is not there: found out from the file."""

    columns = column_names(
        "Which column is the date, amount, debit, credit, direction, currency, description, reference, external_id; "
        "empty: there is none.",
        Text("The column's name.", "Booked on", maximum=1_000, minimum=0),
        {"date": "Booked on", "amount": "Sum"},
    )
    ignore = Listed(Text("A column's name.", "Page", maximum=1_000), "Columns to leave out.", ["Page"],
                    maximum=MAX_COLUMNS)  # fmt: skip
    rename = column_names(
        "Another name for the field that a column becomes.",
        Text("The field's name.", "ref", maximum=c.MAX_FIELD_NAME, line=True),
        {"Ref.": "ref"},
    )
    date_format = Text("How dates are written.", "dd/mm/yyyy", maximum=40, line=True, allow_none=True)
    decimal = Choice("The decimal mark of amounts.", (".", ","), allow_none=True)
    default_currency = Text("The currency of rows that name none.", "EUR", maximum=3, minimum=3, pattern="[A-Z]{3}",
                            allow_none=True)  # fmt: skip
    encoding = Text("How the text is encoded.", "cp1252", maximum=40, line=True, allow_none=True)
    delimiter = Text("What stands between the columns.", ";", maximum=1, allow_none=True)


class ImportQuery(Query):
    """How a file of records is to be read. What is not said is found out from the file."""

    source = Choice("Which side the records are of.", SOURCES, required=True)
    format = Choice("What the file is; without it, what stands in the file tells.", FORMATS)
    all_or_nothing = Flag("Import nothing when any row cannot be taken.", False, load_default=False)
    default_currency = Text("The currency of rows that name none.", "EUR", maximum=3, minimum=3, pattern="[A-Z]{3}")
    date_format = Text("How dates are written.", "dd/mm/yyyy", maximum=40, line=True)
    decimal = Choice("The decimal mark of amounts.", (".", ","))
    delimiter = Text("What stands between the columns of a CSV.", ";", maximum=1)
    encoding = Text("How the text of a CSV is encoded.", "utf-8", maximum=40, line=True)
    money_in = Choice("The column of money that came in, where a CSV has one for debit and one for credit.",
                      ("credit", "debit"), load_default="credit")  # fmt: skip
    mapping = Text("How a CSV is read, as the JSON of a `ReadAs`.", '{"columns": {"date": "Booked on"}}',
                   maximum=5_000)  # fmt: skip
    saved_mapping = Flag("Read a CSV as the project saved it, where the file has those columns.", True,
                         load_default=True)  # fmt: skip
    progress_id = Text("Names this import for whoever asks how far it is (`GET …/imports/{progress_id}`); without it "
                       "the server chooses a name.", "upload-1", maximum=64, pattern=c.CLIENT_ID)  # fmt: skip
    save_mapping = Flag("Save how this CSV was read, for the project's next imports of this side.", False,
                        load_default=False)  # fmt: skip


class RecordsQuery(PageQuery):
    """Which records to list."""

    status = Choice("Only records with this status.", RECORD_STATUSES)
    source = Choice("Only records of this side.", SOURCES)
    q = Text("Only records in which some text, or the id, contains this; upper and lower case are the same.", "rent",
             maximum=200, line=True)  # fmt: skip


class ConflictsQuery(PageQuery):
    """Which conflicts to list."""

    status = Choice("Which.", ("open", "resolved", "all"), load_default="open")


class RecordHistoryQuery(PageQuery):
    """Which part of a record's history to list."""

    since = c.seq("Only commits after this one.", required=False, load_default=0)


class HistoryQuery(RecordHistoryQuery):
    """Which part of the history to list. Filters add up."""

    record_id = c.record_id(required=False)
    user_id = c.user_id("Only what this person did; `system` for what happened by itself.", required=False)
    field_name = c.field_name(required=False)
    message_type = Choice("Only commits of this type.", DURABLE)
    from_ = moment("Only commits of this instant or later. A day begins at midnight UTC.", data_key="from")
    to = moment("Only commits before this instant.")


class StateQuery(PageQuery):
    """Which state to show."""

    at = c.seq("As of this commit; without it, of the newest.", required=False)


class CreateSession(Message):
    """A new session."""

    project_id = project_id(required=True)
    session_name = Text("The session's name.", "October close", maximum=c.MAX_NAME, minimum=0, load_default="")
    expires_in = Integer("Seconds without activity after which it expires; without it, as the server is set up.", 3600,
                         minimum=1, maximum=MAX_EXPIRES_IN)  # fmt: skip
    field_policies = fields.Dict(
        keys=c.field_name(required=False),
        values=Choice("What becomes of an edit of a field that has moved on.", c.POLICIES),
        load_default=dict,
        metadata={
            "description": "Fields whose policy differs from what their type implies.",
            "example": {"reference": "last_writer_wins"},
        },
    )


class Activity(Message):
    """What a person is doing."""

    activity = Text("What the person is doing; null clears.", "reviewing", maximum=c.MAX_ACTIVITY, required=True,
                    allow_none=True)  # fmt: skip
    status = Choice("Whether the person is there.", ("active", "idle"))
    focus = nested(Focus, "Where the person is; null clears.", allow_none=True)


class Revoke(Message):
    """Why somebody's tokens are revoked."""

    reason = c.reason("Why; kept with the revocation.")


class LockBody(requests.Lock):
    """Take a lease on the record, or renew one's own."""

    class Meta(Message.Meta):
        exclude = ("session_id", "record_id", "request_id")


class RenewBody(requests.Renew):
    """Prolong one's own lease."""

    class Meta(Message.Meta):
        exclude = ("session_id", "record_id", "request_id")


class UnlockBody(requests.Unlock):
    """Give a lease back."""

    class Meta(Message.Meta):
        exclude = ("session_id", "record_id", "request_id")


class TakeOverBody(requests.TakeOver):
    """Take somebody else's lock, for a reason that goes into the audit trail."""

    class Meta(Message.Meta):
        exclude = ("session_id", "record_id", "request_id")


class EditBody(requests.Edit):
    """Set one field of the record."""

    class Meta(Message.Meta):
        exclude = ("session_id", "record_id")

    edit_id = c.edit_id("Chosen by the client; sending it again is harmless. The same as the header `Idempotency-Key`; "
                        "one of both is enough, and without both the server makes one.", required=False)  # fmt: skip
    base_version = Integer("The field's version that the author saw; 0 as imported. Without it, the version in "
                           "`If-Match`.", 0)  # fmt: skip


class EditBatchBody(requests.EditBatch):
    """Set several fields, all or none."""

    class Meta(Message.Meta):
        exclude = ("session_id",)

    edit_id = c.edit_id("Chosen by the client. The same as the header `Idempotency-Key`.", required=False)


class ResolveBody(requests.Resolve):
    """Decide an open conflict."""

    class Meta(Message.Meta):
        exclude = ("session_id", "conflict_id", "request_id")


class CommentBody(requests.Comment):
    """Comment on the session, on a record, or on a comment."""

    class Meta(Message.Meta):
        exclude = ("session_id", "request_id")
