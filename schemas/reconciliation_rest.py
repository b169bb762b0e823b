"""The reconciliation over REST: the socket's messages without what stands in the path, or in the HTTP answer itself."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from schemas import common as c
from schemas import reconciliation as r
from schemas.common import Message
from schemas.rest_answers import Page
from schemas.rest_requests import MAX_PAGE, PageQuery, Query, project_id
from schemas.strict import Choice, Integer, Listed, Number, Text


class _Body(Message.Meta):
    exclude = ("session_id", "request_id")


class _Answer(Message.Meta):
    exclude = ("ok",)


class MatchBody(r.MakeMatch):
    """Match records by hand."""

    class Meta(_Body):
        pass


class MatchesBody(r.ConfirmMatches):
    """The matches that are meant."""

    class Meta(_Body):
        pass


class SplitBody(r.SplitMatch):
    """The new matches."""

    class Meta(Message.Meta):
        exclude = ("session_id", "request_id", "match_id")


class RecordStatusBody(r.SetRecordStatus):
    """Set records aside, or take that back."""

    class Meta(_Body):
        pass


class AssignBody(r.AssignRecords):
    """Give records to somebody."""

    class Meta(_Body):
        pass


class RulesBody(r.SetRules):
    """All rules, in order."""

    class Meta(_Body):
        pass


class ReasonBody(Message):
    """Why."""

    reason = Text("Why; sending back and opening again require it.", "the wrong file", minimum=0, maximum=c.MAX_REASON)


class RemarkBody(Message):
    """What is said with it."""

    comment = c.reason("For those who read it.")


class CandidatesQuery(Message):
    """How many candidates."""

    limit = Integer("At most so many.", 10, minimum=1, maximum=50, load_default=10)


class MatchesDone(r.BulkDone):
    """What became of each item."""

    class Meta(_Answer):
        pass


class RunDone(r.RunControlled):
    """The run, started, paused, resumed or cancelled."""

    class Meta(_Answer):
        pass


class RulesDone(r.RulesSet):
    """The rules' version now."""

    class Meta(_Answer):
        pass


class SignedDone(r.Signed):
    """Whether the signature was the last one needed."""

    class Meta(_Answer):
        pass


class SignOffDone(r.ReconciliationDone):
    """Done, by the commit with this `seq`."""

    class Meta(_Answer):
        pass


class StatusNow(r.Status):
    """How far the reconciliation is."""

    class Meta(_Answer):
        pass


class MatchesQuery(PageQuery):
    """Which matches to list."""

    status = Choice("Only matches with this status.", ("suggested", "confirmed"))
    rule_id = Text("Only matches that this rule found; `by-hand`: those that people made.", "exact", maximum=64,
                   line=True)  # fmt: skip
    least_score = Number("Only matches that are at least so probable. Those made by hand have no score.", 0.9,
                         minimum=0, maximum=1)  # fmt: skip
    most_score = Number("Only matches that are at most so probable.", 0.99, minimum=0, maximum=1)


class SideSum(Message):
    """What the records of one side come to, in one currency."""

    source = Choice("Which side.", ("ledger", "statement"), required=True)
    currency = Text("The currency.", "EUR", maximum=3, required=True)
    amount = Text("The sum.", "10.00", maximum=40, required=True)


class MatchView(r.Sides):
    """A match as it stands."""

    match_id = r.match_id()
    status = Choice("Where it stands.", ("suggested", "confirmed"), required=True)
    sums = Listed(fields.Nested(SideSum), "What it joins, by side and currency.", [], maximum=400, required=True)
    difference = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True,
        metadata={"description": "Ledger less statement, by currency.", "example": {"EUR": "0.00"}},
    )  # fmt: skip
    rule_id = Text("The rule that found it; null by hand.", "exact", maximum=64, allow_none=True, required=True)
    score = Number("The probability; null by hand.", 0.9991, minimum=0, maximum=1, allow_none=True, required=True)
    reasons = Listed(Text("A reason.", "same amount", maximum=400), "Why, for people.", ["same amount"], maximum=20,
                     required=True)  # fmt: skip
    reason = Text("What a person said.", None, maximum=c.MAX_REASON, allow_none=True, required=True)
    user_id = c.user_id("Who made it, or confirmed it last; begins with `system` for a run.")
    seq = c.seq("The commit that last set it.")


class MatchesPage(Page):
    """Matches. With a filter a page can be short, even empty: go on while there is a cursor."""

    items = Listed(fields.Nested(MatchView), "The matches.", [], maximum=MAX_PAGE, required=True)
    as_of = c.seq("The session's newest commit when the page was made.")


class ProjectRules(r.Rules):
    """A project's rules: sessions that are created from now on start with them."""

    project_id = project_id(required=True)
    saved_by = c.user_id("Who saved them; null: nobody has yet.", allow_none=True)
    saved_at = c.instant("When.", allow_none=True)
    comment = Text("What was said with them.", None, maximum=c.MAX_REASON, allow_none=True, required=True)


class ProjectRulesQuery(Query):
    """Which version."""

    version = Integer("An earlier version; without it, the newest. The newest 100 are kept.", 3, minimum=1)


class ProjectRulesBody(r.Rules):
    """All rules, in order."""

    class Meta(Message.Meta):
        exclude = ("version",)

    rules = Listed(fields.Nested(r.Rule), "The rules.", [r.EXACT], minimum=1, maximum=50, required=True)
    base_version = Integer("The version that the author saw; 0: there was none yet.", 0, required=True)
    comment = c.reason("Why they were changed.")


class ProjectRulesVersion(Message):
    """One version of a project's rules."""

    version = Integer("The version.", 3, minimum=1, required=True)
    saved_by = c.user_id("Who saved it.")
    saved_at = c.instant("When.")
    comment = Text("What was said with it.", None, maximum=c.MAX_REASON, allow_none=True, required=True)


class ProjectRulesVersions(Message):
    """The versions of a project's rules, newest first."""

    items = Listed(fields.Nested(ProjectRulesVersion), "The versions.", [], maximum=100, required=True)


EXPORT_FORMATS: Final = ("zip", "json", "html", "matches", "exceptions", "comments", "signoffs", "audit")


def _rows(description: str) -> fields.List[Any]:
    return fields.List(fields.Dict(keys=fields.String()), required=True,
                       metadata={"description": description, "example": []})  # fmt: skip


class ExportQuery(Query):
    """Which part of the package, and in which form."""

    format = Choice(
        "`zip`: everything, with a manifest of hashes. `json`, `html`: the report. The others: one table as CSV.",
        EXPORT_FORMATS, load_default="zip",
    )  # fmt: skip


class ExportDocument(Message):
    """The package as one JSON object; the rows are those of the tables."""

    summary = fields.Dict(
        keys=fields.String(), required=True,
        metadata={"description": "The session in figures, and who signed.", "example": {}},
    )  # fmt: skip
    matches = _rows("Matches, suggested ones too.")
    exceptions = _rows("Every record that is not matched.")
    comments = _rows("What people said.")
    signoffs = _rows("Submissions, signatures, and what became of them.")


class ImportProgress(Message):
    """How far an import over REST is."""

    progress_id = Text("As the import's sender called it.", "upload-1", maximum=64, pattern=c.CLIENT_ID, required=True)
    source = Choice("Which side.", ("ledger", "statement"), required=True)
    status = Choice("Where it stands: the file comes, is looked through, is imported.",
                    ("receiving", "reading", "importing", "completed", "failed"), required=True)  # fmt: skip
    user_id = c.user_id("Who imports.")
    started_at = c.instant("When it began.")
    updated_at = c.instant("When it last moved; one that stands still for a minute was cut off.")
    bytes_received = Integer("Bytes that have come.", 524_288, required=True)
    bytes_total = Integer("Bytes of the file, where its sender said; null otherwise.", 1_048_576, allow_none=True,
                          required=True)  # fmt: skip
    rows = Integer("Rows that were taken or refused until now.", 20_000, required=True)
    rows_total = Integer("Rows of the file; null until it has been looked through.", 50_000, allow_none=True,
                         required=True)  # fmt: skip
    new = Integer("Of them new records.", 19_990, required=True)
    changed = Integer("Of them changes of records.", 0, required=True)
    refused = Integer("Of them refused.", 10, required=True)
    message = Text("Why it failed.", "the file is no CSV", maximum=4_000)


class ImportsInProgress(Message):
    """Imports over REST of the last day, newest first."""

    items = Listed(fields.Nested(ImportProgress), "The imports, 100 at most.", [], maximum=100, required=True)
