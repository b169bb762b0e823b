"""A project's rules of matching over HTTP: in versions, checked by field, and with them its sessions begin."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_server.core.matching.rules import DEFAULT_RULES, document
from realtime_server.core.roles import Role
from tests.rest.conftest import Person, Reply, Server

RULES = "/projects/demo/rules"
EXACT: dict[str, Any] = {"rule_id": "exact", "name": "Same amount", "kind": "pair"}


async def put(person: Person, *rules: dict[str, Any], base_version: int = 0, **more: Any) -> Reply:
    return await person.ask("PUT", RULES, {"rules": list(rules), "base_version": base_version, **more})


async def test_a_project_begins_with_the_defaults_which_nobody_has_saved(server: Server, pat: Person) -> None:
    found = (await pat.get(RULES)).body
    assert (found["project_id"], found["version"], found["saved_by"], found["saved_at"]) == ("demo", 0, None, None)
    assert found["rules"] == [document(rule) for rule in DEFAULT_RULES]
    assert (await pat.get(f"{RULES}/versions")).body == {"items": []}


async def test_versions_follow_one_another_and_stay_readable(server: Server, pat: Person, ada: Person) -> None:
    first = await put(pat, EXACT, comment="only these")
    assert (first.status, first.body["version"], first.body["saved_by"]) == (200, 1, "pat")
    assert (first.body["comment"], first.body["rules"][0]["days_after"]) == ("only these", DEFAULT_RULES[1].days_after)
    second = await put(ada, {**EXACT, "days_after": 3}, base_version=1)
    assert (await pat.get(RULES)).body == second.body
    assert (await pat.get(RULES, version=1)).body == first.body
    versions = (await pat.get(f"{RULES}/versions")).body["items"]
    assert [(item["version"], item["saved_by"], item["comment"]) for item in versions] == [
        (2, "ada", None), (1, "pat", "only these"),
    ]  # fmt: skip
    assert (await pat.get(RULES, version=3)).code == "not_found"
    assert (await pat.get(RULES, version=0)).code == "invalid"


async def test_of_two_who_saw_the_same_version_the_later_one_is_told(server: Server, pat: Person, ada: Person) -> None:
    replies = await asyncio.gather(*(put(person, {**EXACT, "name": str(n)}) for n, person in enumerate((pat, ada))))
    late, done = sorted(replies, key=lambda reply: reply.status, reverse=True)
    assert (done.status, late.status, late.code, late.body["details"]) == (200, 409, "version_stale", {"version": 1})
    assert (await pat.get(RULES)).body == done.body
    ahead = await put(pat, EXACT, base_version=7)
    assert (ahead.code, ahead.body["details"]) == ("version_stale", {"version": 1})


async def test_rules_that_are_saved_again_after_a_lost_answer_are_answered_as_the_first_time(
    server: Server, pat: Person, ada: Person
) -> None:
    first = await put(pat, EXACT, comment="mine")
    again = await put(pat, EXACT, comment="mine")
    assert (again.status, again.body) == (200, first.body)
    for other in (await put(ada, EXACT, comment="mine"), await put(pat, EXACT, comment="another")):
        assert (other.status, other.code) == (409, "version_stale")
    await put(ada, EXACT, base_version=1)
    assert (await put(pat, EXACT, comment="mine")).body == first.body
    assert len((await pat.get(f"{RULES}/versions")).body["items"]) == 2


async def test_a_version_clash_before_anything_was_saved_names_the_defaults(server: Server, pat: Person) -> None:
    assert (await put(pat, EXACT, base_version=1)).body["details"] == {"version": 0}


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_change_rules_and_who_only_reads_them(server: Server, role: Role) -> None:
    person = await server.person("sam", role)
    assert (await person.get(RULES)).status == 200
    done = await put(person, EXACT)
    if role in (Role.PREPARER, Role.ADMIN):
        assert done.status == 200
    else:
        assert (done.status, done.code, done.body["details"]) == (403, "forbidden", {"role": role.value})
        assert (await person.get(RULES)).body["version"] == 0


async def test_another_projects_rules_are_as_if_there_were_none(server: Server) -> None:
    stranger = await server.person("eve", Role.ADMIN, project="other")
    assert (await put(stranger, EXACT)).status == 404
    assert [(await stranger.get(path)).status for path in (RULES, f"{RULES}/versions")] == [404, 404]
    assert (await (await server.bearer(None)).get(RULES)).status == 401


SUMS: dict[str, Any] = {"rule_id": "sums", "name": "Sums", "kind": "sum"}
WRONG: list[tuple[list[dict[str, Any]], dict[str, set[str]]]] = [
    ([EXACT, {**SUMS, "amount_tolerance": 5}], {"1": {"amount_tolerance"}}),
    ([EXACT, EXACT], {"1": {"rule_id"}}),
    ([{**SUMS, "amount_percent": 1}, EXACT, EXACT], {"0": {"amount_percent"}, "2": {"rule_id"}}),
    ([{**EXACT, "min_score": 2, "kind": "guess"}], {"0": {"min_score", "kind"}}),
    ([{**EXACT, "colour": "red"}], {"0": {"colour"}}),
    ([{"name": "Nameless"}], {"0": {"rule_id", "kind"}}),
]


@pytest.mark.parametrize(("rules", "wrong"), WRONG)
async def test_a_rule_that_cannot_be_is_named_by_place_and_field_and_saves_nothing(
    server: Server, pat: Person, rules: list[dict[str, Any]], wrong: dict[str, set[str]]
) -> None:
    refused = await put(pat, *rules)
    assert (refused.status, refused.code) == (422, "invalid")
    found = refused.body["details"]["fields"]["rules"]
    assert {place: set(below) for place, below in found.items()} == wrong
    assert all(isinstance(text, str) for below in found.values() for texts in below.values() for text in texts)
    assert (await pat.get(RULES)).body["version"] == 0


async def test_there_are_one_to_fifty_rules(server: Server, pat: Person) -> None:
    assert (await put(pat)).code == "invalid"
    many = [{**EXACT, "rule_id": f"r{number}"} for number in range(51)]
    assert (await put(pat, *many)).code == "invalid"
    assert (await put(pat, *many[:50])).status == 200


async def test_a_new_session_starts_with_a_copy_of_its_projects_rules(server: Server, pat: Person) -> None:
    before = await server.session(pat, records=0)
    saved = (await put(pat, {**EXACT, "min_score": 1.0, "amount_percent": 0.5})).body
    session = await server.session(pat, records=0)
    copy = (await pat.get(f"/sessions/{session}/reconciliation/rules")).body
    assert (copy["rules"], copy["project_version"]) == (saved["rules"], 1)
    older = (await pat.get(f"/sessions/{before}/reconciliation/rules")).body
    assert ([rule["rule_id"] for rule in older["rules"]], older["project_version"]) == (
        [rule.rule_id for rule in DEFAULT_RULES], None,
    )  # fmt: skip
    # The copy is the session's: what the project saves later is none of its business, nor the other way round.
    await put(pat, SUMS, base_version=1)
    assert (await pat.get(f"/sessions/{session}/reconciliation/rules")).body == copy
    own = {"rules": [SUMS, EXACT], "base_version": copy["version"]}
    assert (await pat.ask("PUT", f"/sessions/{session}/reconciliation/rules", own)).status == 200
    changed = (await pat.get(f"/sessions/{session}/reconciliation/rules")).body
    assert ([rule["rule_id"] for rule in changed["rules"]], changed["project_version"]) == (["sums", "exact"], None)
    assert [rule["rule_id"] for rule in (await pat.get(RULES)).body["rules"]] == ["sums"]
