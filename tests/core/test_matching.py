"""The matcher on small books: what it joins, what it leaves to people, and that chance and order play no part in it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_server.core.matching.batches import in_words
from realtime_server.core.matching.proposals import Proposal
from realtime_server.core.matching.propose import propose, reach_of, statement_sign
from realtime_server.core.matching.rejections import Rejections, signature
from realtime_server.core.matching.rules import DEFAULT_RULES, Kind, Rule
from realtime_server.core.matching.settled import Settled
from realtime_server.core.matching.sums import MAX_SUMS, Pool, largest_group
from realtime_server.core.matching.table import Ints, Item, item_of
from realtime_server.core.matching.text import fold, plain_reference, references_in
from realtime_server.core.matching.workspace import prepare

START = date(2026, 10, 1).toordinal()
NAMES = [f"{first} {last}" for first in ("Abbott", "Bauer", "Chan", "Diaz", "Ekman", "Ferrari", "Gupta", "Haddad")
         for last in ("Logistics", "Bakery", "Couriers", "Stationers", "Telecom", "Furniture", "Plumbing")]  # fmt: skip
EXACT = Rule("exact", "Exact", Kind.PAIR)


def item(record_id: str, minor: int, day: int = 0, text: str = "", reference: str = "", currency: str = "EUR") -> Item:
    return Item(record_id, minor, currency, START + day, text, reference)


def books(count: int = 200, seed: int = 1) -> tuple[list[Item], list[Item]]:
    """Plain pairs, so that the model has something to learn from: same amount, some days later, the name cut."""
    rng = random.Random(seed)
    ledger, statement = [], []
    for number in range(count):
        minor, day, name = rng.randrange(100, 10**6), rng.randrange(30), rng.choice(NAMES)
        ledger.append(item(f"L{number}", minor, day, f"Payment {name} Ltd", f"INV-{number:06d}"))
        shown = f"INV-{number:06d}" if rng.random() < 0.5 else ""
        statement.append(item(f"S{number}", minor, day + rng.randrange(4), f"GIRO {name}".upper()[:20], shown))
    return ledger, statement


def found(ledger: list[Item], statement: list[Item]) -> dict[frozenset[str], Proposal]:
    return {frozenset(p.records): p for p in propose(ledger, statement, DEFAULT_RULES)}


def test_plain_pairs_are_found_and_confirmed() -> None:
    ledger, statement = books()
    proposals = found(ledger, statement)
    right = [proposals.get(frozenset({f"L{number}", f"S{number}"})) for number in range(200)]
    assert sum(proposal is not None for proposal in right) >= 199
    assert sum(proposal is not None and proposal.confirmed for proposal in right) >= 150


def late_pairs(count: int = 5, fee: float = 0.0) -> tuple[list[Item], list[Item], Settled]:
    """Pairs of one reference at most, among as many records without a counterpart, and the books they are left of.
    ``fee``: the share of each amount that the bank keeps."""
    ledger, statement = books(400)
    statement = [replace(entry, minor=round(entry.minor * (1 - fee))) for entry in statement]
    late = [number for number, entry in enumerate(statement) if not entry.reference][-count:]
    sides = [[side.pop(number) for number in reversed(late)] for side in (ledger, statement)]
    settled = Settled(ledger, statement, [(a.record_id, b.record_id) for a, b in zip(ledger, statement, strict=True)])
    for side, lone in zip(sides, books(2 * count, seed=2), strict=True):
        rows = lone[:count] if side is sides[0] else lone[count:]
        side += [replace(entry, record_id=f"{entry.record_id}-alone") for entry in rows]
    return sides[0], sides[1], settled


def right(proposals: list[Proposal]) -> int:
    """How many join the ledger's record with its own; a wrong one takes one away."""
    return sum(1 if p.ledger[0][1:] == p.statement[0][1:] and len(p.records) == 2 else -1 for p in proposals)


def test_a_few_late_pairs_are_found_by_what_is_known_of_the_settled() -> None:
    ledger, statement, settled = late_pairs()
    assert right(propose(ledger, statement, DEFAULT_RULES)) < 3
    found_later = propose(ledger, statement, DEFAULT_RULES, settled=settled)
    assert right(found_later) == 5
    assert sum(proposal.confirmed for proposal in found_later) >= 3


def test_how_amounts_differ_in_late_pairs_is_learned_from_the_matched() -> None:
    ledger, statement, settled = late_pairs(fee=0.015)
    assert right(propose(ledger, statement, DEFAULT_RULES)) == 0
    # As common as they are, counted without any pair that is known to belong together; and with them.
    unlearned = propose(ledger, statement, DEFAULT_RULES, settled=replace(settled, pairs=()))
    learned = propose(ledger, statement, DEFAULT_RULES, settled=settled)
    assert right(learned) == 5
    assert sum(p.confirmed for p in learned) > sum(p.confirmed for p in unlearned)


def test_what_is_settled_is_in_no_proposal() -> None:
    ledger, statement, settled = late_pairs()
    opened = {entry.record_id for entry in (*ledger, *statement)}
    # Their best counterparts, were they open.
    ledger.append(replace(settled.ledger[0], record_id="LX"))
    statement.append(replace(settled.statement[1], record_id="SX"))
    proposals = propose(ledger, statement, DEFAULT_RULES, settled=settled)
    assert proposals
    assert {record for p in proposals for record in p.records} <= opened | {"LX", "SX"}
    assert propose([], [], DEFAULT_RULES, settled=settled) == []


def test_an_amount_that_settled_records_share_is_worth_little_between_late_ones() -> None:
    settled = late_pairs()[2]
    fees = [[item(f"{side}F{n}", 99_900, n % 30, "Fee") for n in range(100)] for side in "LS"]
    popular = replace(settled, ledger=[*settled.ledger, *fees[0]], statement=[*settled.statement, *fees[1]])
    late = [item("LX", 99_900, 20, "Payment")], [item("SX", 99_900, 21, "PAYMENT")]
    reach = reach_of(DEFAULT_RULES)
    bits = [float(prepare(*late, reach, settled=known).scored.bits[0]) for known in (settled, popular)]
    assert bits[0] > bits[1] + 5


def test_words_that_the_open_records_share_are_worth_little_though_the_settled_have_them_not() -> None:
    ledger, statement, settled = late_pairs()
    ledger.append(item("LX", 10_000, 20, "Receipt Zimmermann"))
    # Twelve of four hundred texts, and twelve of twenty-two open ones.
    statement += [item(f"SX{n}", 10_150 + 10_000 * n, 22, "UNIDENTIFIED RECEIPT") for n in range(12)]
    assert "LX" not in [p.ledger[0] for p in propose(ledger, statement, DEFAULT_RULES, settled=settled)]


def test_a_matched_pair_that_cannot_be_read_teaches_nothing() -> None:
    ledger, statement, settled = late_pairs()
    unreadable = replace(settled, pairs=[*settled.pairs, ("L-nowhere", "S-nowhere")])
    plain = propose(ledger, statement, DEFAULT_RULES, settled=settled)
    assert propose(ledger, statement, DEFAULT_RULES, settled=unreadable) == plain


def test_the_reasons_can_be_read() -> None:
    ledger, statement = books()
    proposal = found(ledger, statement)[frozenset({"L0", "S0"})]
    assert "same amount" in proposal.reasons
    assert all(reason == reason.strip() and len(reason) < 100 for reason in proposal.reasons)


@given(st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    ledger, statement = books(60)
    shuffled = random.Random(seed).sample(ledger, 60), random.Random(seed + 1).sample(statement, 60)
    assert propose(*shuffled, DEFAULT_RULES) == propose(ledger, statement, DEFAULT_RULES)


@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 20), st.sampled_from(["", "RENT", "VOID RENT"]),
                          st.sampled_from(["", "INV-1000", "INV-2000"])), max_size=24), st.integers(0, 24))  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_whatever_the_rows_nothing_is_joined_twice_and_sums_keep_to_their_rules(
    rows: list[tuple[int, int, str, str]], cut: int
) -> None:
    items = [item(f"R{n}", minor, day, text, reference) for n, (minor, day, text, reference) in enumerate(rows)]
    by_id = {entry.record_id: entry for entry in items}
    rules = {rule.rule_id: rule for rule in DEFAULT_RULES}
    proposals = propose(items[:cut], items[cut:], DEFAULT_RULES)
    members = [record for proposal in proposals for record in proposal.records]
    assert len(members) == len(set(members))
    for proposal in proposals:
        sums = [sum(by_id[record].minor for record in side) for side in (proposal.ledger, proposal.statement)]
        assert rules[proposal.rule_id].allows(*sums)
        assert proposal.difference == sums[0] - sums[1]
        assert 0 < proposal.score < 1


def test_two_that_could_each_be_meant_are_not_confirmed() -> None:
    ledger, statement = books()
    ledger += [item("LA", 77_700, 5, "Payment Chan Bakery Ltd"), item("LB", 77_700, 5, "Payment Chan Bakery Ltd")]
    statement.append(item("SA", 77_700, 6, "GIRO CHAN BAKERY"))
    assert not [p for p in found(ledger, statement).values() if "SA" in p.records and p.confirmed]


def test_the_first_of_two_same_entries_is_meant() -> None:
    ledger, statement = books()
    ledger += [
        item("LA", 77_777, 5, "Payment Chan Bakery Ltd", "INV-900001"),
        item("LB", 77_777, 8, "Payment Chan Bakery Ltd", "INV 900001"),
    ]
    statement.append(item("SA", 77_777, 9, "GIRO CHAN BAKERY", "INV-900001"))
    proposals = found(ledger, statement)
    assert frozenset({"LA", "SA"}) in proposals


def test_a_paying_in_slip_joins_its_receipts() -> None:
    ledger, statement = books()
    ledger += [item(f"D{n}", 10_111 * n, 5, f"Receipt {NAMES[n]}", "DS-700001") for n in (1, 2, 3)]
    statement.append(item("SD", 60_666, 6, "DEPOSIT", ""))
    assert frozenset({"D1", "D2", "D3", "SD"}) in found(ledger, statement)


@pytest.mark.parametrize(("most", "joined"), [(3, False), (8, True), (12, True)])
def test_a_slip_has_no_more_receipts_than_its_rule_says(most: int, joined: bool) -> None:
    ledger, statement = books()
    slip = [item(f"D{n}", 10_111 * n, 5, f"Receipt {NAMES[n]}", "DS-700001") for n in range(1, 11)]
    statement.append(item("SD", sum(entry.minor for entry in slip), 6, "DEPOSIT", ""))
    rules = [replace(rule, max_records=most) if rule.kind is Kind.SUM else rule for rule in DEFAULT_RULES]
    groups = [set(p.records) for p in propose(ledger + slip, statement, rules)]
    assert ({"SD", *(entry.record_id for entry in slip)} in groups) is joined


def test_instalments_join_their_invoice() -> None:
    ledger, statement = books()
    ledger.append(item("LI", 90_123, 3, "Payment Gupta Telecom Ltd", "INV-800001"))
    statement += [
        item("SI1", 40_000, 5, "INV-800001 1/2 GUPTA TELECOM"),
        item("SI2", 50_123, 12, "GIRO 2/2 GUPTA TELECOM", "INV-800001"),
    ]
    assert frozenset({"LI", "SI1", "SI2"}) in found(ledger, statement)


def rejected(group: frozenset[str]) -> Rejections:
    return Rejections({record: {signature(group)} for record in group})


def test_a_rejected_pair_leaves_both_its_records_to_others() -> None:
    ledger, statement = books()
    ledger.append(item("LA", 77_711, 5, "Payment Chan Bakery Ltd", "INV-800700"))
    statement += [item("SX", 77_711, 6, "GIRO CHAN BAKERY", "INV-800700"), item("SY", 77_711, 7, "GIRO CHAN BAKERY")]
    first = frozenset({"LA", "SX"})
    assert first in found(ledger, statement)
    again = propose(ledger, statement, DEFAULT_RULES, rejections=rejected(first))
    assert [p.statement for p in again if "LA" in p.ledger] == [("SY",)]


def test_a_rejected_group_leaves_its_records_to_others() -> None:
    ledger, statement = books()
    ledger += [item(f"D{n}", 10_111 * n, 5, f"Receipt {NAMES[n]}", "DS-700001") for n in (1, 2, 3)]
    statement += [item("SD", 60_666, 6, "DEPOSIT", ""), item("SE", 60_666, 7, "DEPOSIT", "")]
    first = next(records for records in found(ledger, statement) if "D1" in records)
    assert len(first) == 4
    again = propose(ledger, statement, DEFAULT_RULES, rejections=rejected(first))
    assert {*first - {"SD", "SE"}, *({"SD", "SE"} - first)} in [set(p.records) for p in again]


def test_entries_that_do_not_take_each_other_back_are_matched_like_others() -> None:
    ledger, statement = books()
    ledger += [
        item("LV1", -25_050, 1, "Cheque 500100 Diaz Plumbing", "500100"),
        item("LV2", 25_050, 4, "VOID cheque 500100 Diaz Plumbing", "500100"),
    ]
    statement.append(item("SV", -25_050, 6, "CHEQUE 500100", "500100"))
    again = propose(ledger, statement, DEFAULT_RULES, rejections=rejected(frozenset({"LV1", "LV2"})))
    assert {"LV1", "SV"} in [set(p.records) for p in again]


def test_a_payout_less_its_fee_is_suggested_and_never_confirmed() -> None:
    ledger, statement = books()
    ledger += [item("LF1", 50_000, 3, "Sale", "PO-600001"), item("LF2", 30_000, 3, "Sale", "PO-600001")]
    statement.append(item("SF", 78_200, 5, "CARD PAYOUT PO-600001", "PO-600001"))
    proposal = found(ledger, statement)[frozenset({"LF1", "LF2", "SF"})]
    assert (proposal.rule_id, proposal.difference, proposal.confirmed) == ("fee", 1_800, False)


def test_a_voided_cheque_and_its_replacement_go_with_what_the_bank_paid() -> None:
    ledger, statement = books()
    ledger += [
        item("LV1", -25_050, 1, "Cheque 500100 Diaz Plumbing", "500100"),
        item("LV2", 25_050, 4, "VOID cheque 500100 Diaz Plumbing", "500100"),
        item("LV3", -25_050, 5, "Cheque 500101 Diaz Plumbing (replaces 500100)", "500101"),
    ]
    statement.append(item("SV", -25_050, 9, "CHEQUE 500101", "500101"))
    assert frozenset({"LV1", "LV2", "LV3", "SV"}) in found(ledger, statement)


def test_an_entry_that_was_taken_back_and_never_came_again_nets_to_nothing() -> None:
    ledger, statement = books()
    ledger += [
        item("LV1", -25_050, 1, "Cheque 500100 Diaz Plumbing", "500100"),
        item("LV2", 25_050, 4, "VOID cheque 500100 Diaz Plumbing", "500100"),
    ]
    proposal = found(ledger, statement)[frozenset({"LV1", "LV2"})]
    assert (proposal.rule_id, proposal.statement, proposal.confirmed) == ("reversal", (), False)


def test_what_was_taken_back_is_suggested_only_where_its_rule_asks_for_no_more() -> None:
    ledger, statement = books()
    ledger += [item("LV1", -25_050, 1, "Cheque 500100 Diaz", "500100"), item("LV2", 25_050, 4, "VOID 500100", "500100")]
    for least, proposed in ((0.9, True), (0.95, False)):
        rules = [EXACT, Rule("reversal", "Taken back", Kind.REVERSAL, min_score=least)]
        assert ({"LV1", "LV2"} in [set(p.records) for p in propose(ledger, statement, rules)]) is proposed


def test_currencies_do_not_mix() -> None:
    ledger, statement = books()
    ledger.append(item("LX", 4_242, 3, "Payment Ekman Telecom", "INV-99", currency="USD"))
    statement.append(item("SX", 4_242, 4, "EKMAN TELECOM", "INV-99", currency="EUR"))
    assert frozenset({"LX", "SX"}) not in found(ledger, statement)


def turned_round(items: list[Item]) -> list[Item]:
    return [replace(entry, minor=-entry.minor) for entry in items]


def test_a_statement_that_counts_the_other_way_is_recognised() -> None:
    ledger, statement = books()
    turned = turned_round(statement)
    assert statement_sign(ledger, statement) == 1
    assert statement_sign(ledger, turned) == -1
    proposals = propose(ledger, turned, DEFAULT_RULES, sign=-1)
    assert len(proposals) >= 199


def test_a_few_records_say_which_way_a_statement_counts() -> None:
    ledger, statement = books(4)
    assert statement_sign(ledger, turned_round(statement)) == -1
    assert statement_sign(ledger, statement) == 1
    # A standing price against its refunds says nothing.
    fees = [item(f"L{n}", 999, n) for n in range(9)], [item(f"S{n}", -999, n) for n in range(9)]
    assert statement_sign(*fees) == 1


def test_what_stored_matches_say_of_the_sign_is_kept_when_the_rest_agrees_by_chance() -> None:
    ledger, statement = books(10)
    assert statement_sign([], [], (0, 200)) == -1
    assert statement_sign(ledger, statement, (0, 200)) == -1
    assert statement_sign(ledger, turned_round(statement), (200, 0)) == 1
    # A few matches, and then books that say otherwise throughout.
    ledger, statement = books(200)
    assert statement_sign(ledger, statement, (0, 4)) == 1
    assert statement_sign(ledger, turned_round(statement), (4, 0)) == -1


def test_sides_that_have_nothing_in_common_stay_apart() -> None:
    ledger, _ = books(seed=1)
    _, statement = books(seed=2)
    assert len(propose(ledger, [s for s in statement if not s.reference], DEFAULT_RULES)) <= 2
    assert propose(ledger, [], DEFAULT_RULES) == propose([], [], DEFAULT_RULES) == []


def test_a_rule_of_ones_own_has_its_conditions_kept() -> None:
    ledger, statement = books()
    strict = Rule("mine", "Mine", Kind.PAIR, days_before=0, days_after=0, text_similarity=70)
    proposals = propose(ledger, statement, [strict])
    days = {entry.record_id: entry.day for entry in (*ledger, *statement)}
    assert proposals
    assert all(days[p.ledger[0]] == days[p.statement[0]] and p.difference == 0 for p in proposals)
    assert propose(ledger, statement, [Rule("off", "Off", Kind.PAIR, enabled=False)]) == []


@pytest.mark.parametrize(
    "rules",
    [
        [Rule("mine", "Mine", Kind.PAIR, amount_tolerance=100)],
        [EXACT, Rule("mine", "Mine", Kind.PAIR, amount_tolerance=100, reference_required=True)],
        [EXACT, Rule("mine", "Mine", Kind.PAIR, amount_percent=5, reference_required=True)],
        [Rule("mine", "Mine", Kind.PAIR, amount_percent=5, reference_required=True)],
    ],
    ids=["tolerance", "tolerance-by-reference", "percent-by-reference", "by-reference-alone"],
)
def test_a_rule_finds_amounts_that_are_as_far_apart_as_it_allows(rules: list[Rule]) -> None:
    ledger, statement = books()
    ledger += [item(f"LT{n}", 3_000 + n, 5, f"Payment {NAMES[n]} Ltd", f"INV-90000{n}") for n in range(8)]
    statement += [item(f"ST{n}", 2_900 + n, 6, f"GIRO {NAMES[n]}".upper(), f"INV-90000{n}") for n in range(8)]
    pairs = {frozenset(p.records) for p in propose(ledger, statement, rules)}
    assert {frozenset({f"LT{n}", f"ST{n}"}) for n in range(8)} <= pairs


def test_a_tolerance_is_held_to_the_minor_unit() -> None:
    ledger, statement = books()
    ledger += [item(f"LT{n}", 500_000_000, 5 + n, f"Payment {NAMES[n]} Ltd", f"INV-90000{n}") for n in range(2)]
    statement += [item(f"ST{n}", 500_000_100 + n, 6 + n, f"GIRO {NAMES[n]}".upper(), f"INV-90000{n}") for n in range(2)]
    rules = [Rule("mine", "Mine", Kind.PAIR, amount_tolerance=100)]
    joined = {frozenset(p.records) for p in propose(ledger, statement, rules)}
    assert frozenset({"LT0", "ST0"}) in joined
    assert frozenset({"LT1", "ST1"}) not in joined


def test_a_rule_by_reference_reaches_as_many_days_as_it_says() -> None:
    ledger, statement = books()
    ledger.append(item("LX", 4_243, 0, "Payment Ekman Telecom Ltd", "INV-900009"))
    statement.append(item("SX", 4_243, 170, "GIRO EKMAN TELECOM", "INV-900009"))
    rules = [EXACT, Rule("late", "Late", Kind.PAIR, days_after=180, reference_required=True)]
    assert {"LX", "SX"} in [set(p.records) for p in propose(ledger, statement, rules)]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller & Söhne  GmbH", "MULLER SOHNE GMBH"),
        ("Weiß", "WEISS"),
        ("日本 商事", "日本 商事"),
        ("", ""),
        ("a-b", "A B"),
    ],
)
def test_texts_are_folded(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_references_are_found_in_texts_and_compare_without_marks() -> None:
    assert references_in("GIRO INV-00123456 ABBOTT 12") == ("INV00123456",)
    assert plain_reference("inv 00-12") == "INV0012"


def test_a_record_without_an_amount_or_a_date_waits_for_a_person() -> None:
    good = {"amount": "10.50", "date": "2026-10-01", "currency": "EUR"}
    entry = item_of("r", good)
    assert entry is not None
    assert (entry.minor, entry.day) == (1_050, START)
    for name in good:
        assert name == "currency" or item_of("r", {**good, name: None}) is None
        assert item_of("r", {**good, name: "nonsense"}) is None


def test_sums_are_exact_bounded_and_know_how_easily_they_come_by_chance() -> None:
    amounts: Ints = np.array([1_001, 2_003, 4_007, 8_011, 16_033], dtype=np.int64)
    solutions = Pool(amounts, 8).solve(1_001 + 4_007 + 16_033)
    assert [solution.members for solution in solutions] == [(0, 2, 4)]
    assert solutions[0].chance < 0.002
    round_ones = Pool(np.full(12, 10_000, dtype=np.int64), 8).solve(30_000)
    assert round_ones[0].chance > 0.01
    assert largest_group(1, 8) == 0
    assert 2 <= largest_group(60, 8) <= 3
    assert MAX_SUMS >= 10_000


def test_dates_far_apart_do_not_meet() -> None:
    ledger, statement = books()
    far = (date.fromordinal(START) + timedelta(days=400)).toordinal() - START
    ledger.append(item("LX", 4_243, 0, "Payment Ekman Telecom Ltd"))
    statement.append(item("SX", 4_243, far, "GIRO EKMAN TELECOM"))
    assert frozenset({"LX", "SX"}) not in found(ledger, statement)


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (2e-9, "hardly by chance"),
        (2e-6, "by chance once in 500,000 times"),
        (0.3, "by chance once in 3 times"),
        (1.0, "by chance one such sum"),
        (3.2, "by chance 3 such sums"),
    ],
)
def test_how_likely_a_sum_is_by_chance_is_said_in_words(chance: float, words: str) -> None:
    assert in_words(chance) == words
