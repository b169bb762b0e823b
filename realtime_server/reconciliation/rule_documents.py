"""Rules as clients send them, with every mistake named by its rule and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from realtime_server.core.matching.rules import MAX_RULES, Rule, RuleError, from_document
from realtime_server.errors import CollaborationError, ErrorCode


def read_rules(items: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules, in order. `invalid` names under ``details.fields.rules`` every rule that cannot be, by its place in
    the list, and in it every field: ``{"rules": {"2": {"min_score": ["min_score lies between 0.05 and 1"]}}}``.
    """
    rules: list[Rule] = []
    wrong: dict[str, dict[str, list[str]]] = {}
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        try:
            rule = from_document(item)
        except RuleError as error:
            wrong[str(index)] = {name: [text] for name, text in error.fields.items()}
            continue
        if first.setdefault(rule.rule_id, index) != index:
            wrong[str(index)] = {"rule_id": [f"rule {first[rule.rule_id] + 1} is called {rule.rule_id} already"]}
        rules.append(rule)
    if wrong:
        places = ", ".join(str(int(index) + 1) for index in wrong)
        raise _invalid(f"rule {places} cannot be" if len(wrong) == 1 else f"rules {places} cannot be", wrong)
    if not 1 <= len(rules) <= MAX_RULES:
        message = f"there are 1 to {MAX_RULES} rules"
        raise _invalid(message, [message])
    return tuple(rules)


def _invalid(message: str, wrong: Any) -> CollaborationError:
    return CollaborationError(ErrorCode.INVALID, message, {"fields": {"rules": wrong}})
