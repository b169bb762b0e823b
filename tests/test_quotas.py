"""How much one person, one session and one project may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.quotas import Bucket, Quota, Quotas


@given(
    st.floats(0.1, 1e4), st.integers(1, 1_000), st.lists(st.floats(0, 10), max_size=200)
)
def test_nobody_gets_more_than_the_burst_and_the_rate(rate: float, burst: int, pauses: list[float]) -> None:
    now, taken = 0.0, 0
    bucket = Bucket(rate, burst, now)
    for pause in pauses:
        now += pause
        taken += bucket.take(now) == 0.0
    assert taken <= burst + now * rate + 1e-6


@given(st.floats(0.1, 1e4), st.integers(1, 100))
def test_after_the_time_that_is_told_the_same_request_succeeds(rate: float, burst: int) -> None:
    bucket = Bucket(rate, burst, 0.0)
    while not (wait := bucket.take(0.0)):
        pass
    assert bucket.take(wait * 0.99)
    assert not bucket.take(wait * (1 + 1e-9) + 1e-9)


def test_a_debt_is_paid_in_time_and_never_grows_beyond_one_burst() -> None:
    bucket = Bucket(10, 20, 0.0)
    bucket.charge(1e9)
    assert bucket.take(0.0) == pytest.approx(2.1)
    assert not bucket.take(2.2)


def test_what_is_borrowed_is_waited_for_and_a_debt_has_its_bound() -> None:
    bucket = Bucket(10, 2, 0.0)
    assert [bucket.borrow(1, 5, 0.0) for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
    assert bucket.borrow(1e9, 5, 0.0) == pytest.approx(5)
    assert bucket.borrow(1, 5, 5.1) == pytest.approx(0)


def test_keys_do_not_share() -> None:
    quota = Quota("user", 1, 1)
    assert [quota.take(key, 0.0) > 0 for key in ("a", "a", "b")] == [False, True, False]


def test_without_a_rate_there_is_no_limit_and_nothing_is_kept() -> None:
    quota = Quota("user", 0, 0)
    assert not any(quota.take("a", 0.0) for _ in range(1_000))
    quota.charge("a", 1e9, 0.0)
    assert len(quota) == 0


def test_who_has_been_away_is_forgotten_and_who_owes_is_not() -> None:
    quota = Quota("user", 1, 2)
    for number in range(10_000):
        quota.take(f"user-{number}", 0.0)
    quota.charge("user-7", 2, 100.0)
    quota.take("one more", 100.0)
    assert len(quota) == 1 or quota.take("user-7", 100.0)
    assert len(quota) < 10


@pytest.mark.parametrize("scope", ["user", "session", "project"])
def test_a_refusal_says_whose_limit_it_is_and_when_to_come_back(scope: str) -> None:
    quotas = Quotas(**{scope: (2.0, 1.0)})
    quotas.of_user("alice", 0.0)
    quotas.of_session("s1", "p1", 0.0)
    with pytest.raises(CollaborationError) as refusal:
        quotas.of_user("alice", 0.0)
        quotas.of_session("s1", "p1", 0.0)
    assert refusal.value.code is ErrorCode.RATE_LIMITED
    assert refusal.value.details == {"scope": scope, "retry_after": 0.5}
