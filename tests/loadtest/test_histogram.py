from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from loadtest.histogram import Histogram, bucket_of, highest_in

DURATIONS = st.integers(min_value=0, max_value=(1 << 36) - 1)


@given(DURATIONS)
def test_every_duration_is_in_its_bucket_and_the_bucket_ends_within_one_percent(microseconds: int) -> None:
    bucket = bucket_of(microseconds)
    assert microseconds <= highest_in(bucket) <= microseconds * 1.008
    assert bucket == 0 or highest_in(bucket - 1) < microseconds


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_that_of_the_sorted_durations(durations: list[int], share: float) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    exact = sorted(durations)[math.ceil(len(durations) * share) - 1] / 1000
    found = histogram.quantile(share)
    assert found is not None
    assert exact <= found <= exact * 1.008


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_histograms_of_two_processes_add_up_to_one_of_both(mine: list[int], theirs: list[int]) -> None:
    first, second, both = Histogram(), Histogram(), Histogram()
    for histogram, durations in ((first, mine), (second, theirs), (both, mine + theirs)):
        for duration in durations:
            histogram.record(duration)
    first.add(second.sparse())
    assert first.counts == both.counts


def test_a_histogram_without_durations_has_no_quantile() -> None:
    assert Histogram().quantile(0.99) is None


@given(st.lists(DURATIONS, min_size=1), st.sampled_from([0.5, 0.99]), st.floats(0.001, 1e6))
def test_who_is_not_below_a_limit_agrees_with_the_quantile(durations: list[int], share: float, limit: float) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    quantile = histogram.quantile(share)
    assert quantile is not None
    late = histogram.not_below(limit)
    assert (quantile >= limit) == (late > len(durations) - math.ceil(len(durations) * share - 1e-9))
    assert histogram.not_below(0) == len(durations)
