"""The reconciliation over REST: the socket's messages without what stands in the path, or in the HTTP answer itself."""

from __future__ import annotations

from schemas import common as c
from schemas import reconciliation as r
from schemas.common import Message
from schemas.strict import Integer, Text


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
