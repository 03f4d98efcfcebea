"""What the sequential test promises, counted exactly: no chance is drawn."""

from itertools import product
from math import comb, exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.evaluation.sequential import Share, least_increase, log_evidence

ALPHA = 0.05


@st.composite
def shares(draw: st.DrawFn) -> Share:
    of = draw(st.integers(0, 10**7))
    return Share(draw(st.integers(0, of)), of)


def binomial(share: Share, rate: float) -> float:
    return comb(share.of, share.count) * rate**share.count * (1 - rate) ** (share.of - share.count)


@pytest.mark.parametrize(("rate", "increase"), [(0.3, 0.0), (0.02, 0.01), (0.5, 0.3), (0.6, -0.2)])
@pytest.mark.parametrize(("before", "now"), [(19, 1), (8, 8), (3, 12)])
def test_evidence_is_fair_where_nothing_is_wrong(
    rate: float, increase: float, before: int, now: int
) -> None:
    """Its expectation is at most 1, over all that may be seen of so many requests."""
    seen = product(range(before + 1), range(now + 1))
    pairs = [(Share(one, before), Share(other, now)) for one, other in seen]
    expected = sum(
        binomial(one, rate) * binomial(other, rate + increase)
        * exp(log_evidence(one, other, increase))
        for one, other in pairs
    )  # fmt: skip
    assert 0 < expected <= 1


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("every", [2, 5])
def test_equal_versions_are_ever_told_apart_as_seldom_as_is_said(rate: float, every: int) -> None:
    """The probability of that at any of 60 looks, one after each request."""
    calm, alarmed = {(0, 0): 1.0}, 0.0
    for request in range(1, 61):
        candidates = request // every
        of = request - candidates, candidates
        asked = request % every == 0
        after: dict[tuple[int, int], float] = {}
        for (one, other), probability in calm.items():
            for failed, chance in ((0, 1 - rate), (1, rate)):
                state = (one, other + failed) if asked else (one + failed, other)
                after[state] = after.get(state, 0.0) + probability * chance
        calm = {}
        for state, probability in after.items():
            before, now = map(Share, state, of)
            if log_evidence(before, now, 0.0) >= -log(ALPHA):
                alarmed += probability
            else:
                calm[state] = probability
    assert alarmed <= ALPHA
    assert sum(calm.values()) + alarmed == pytest.approx(1)


@given(shares(), shares(), st.floats(0, 0.9), st.floats(0, 0.09))
def test_evidence_is_finite_and_less_for_a_larger_increase(
    before: Share, now: Share, increase: float, more: float
) -> None:
    found = log_evidence(before, now, increase)
    assert -inf < log_evidence(before, now, increase + more) <= found + 1e-6 < inf
    if now.rate - before.rate <= increase:
        assert found < 1e-6, "what was seen is within it"


@given(st.integers(1, 2000), st.integers(1, 2000), st.data())
def test_each_error_of_the_candidate_speaks_against_it(
    primary: int, candidate: int, data: st.DataObject
) -> None:
    before = Share(data.draw(st.integers(0, primary)), primary)
    failed = data.draw(st.integers(0, candidate - 1))
    one, more = Share(failed, candidate), Share(failed + 1, candidate)
    if one.rate > before.rate and log_evidence(before, one, 0.0) > 3:
        assert log_evidence(before, more, 0.0) > log_evidence(before, one, 0.0)


@given(shares(), shares())
def test_the_bound_is_below_what_was_seen_and_is_what_is_shown(before: Share, now: Share) -> None:
    least = least_increase(before, now, ALPHA)
    assert -1 <= least <= now.rate - before.rate
    if least > -1:
        assert log_evidence(before, now, least) >= -log(ALPHA)
    assert log_evidence(before, now, min(least + 1e-6, 1.0)) < -log(ALPHA) + 1e-2


@pytest.mark.parametrize(("weight", "most"), [(0.05, 3), (0.2, 4), (0.5, 7)])
def test_a_version_that_always_fails_is_caught_at_once(weight: float, most: int) -> None:
    """At the level that each of three limits has of 0.01."""
    primary = Share(0, round(most * (1 - weight) / weight))
    assert log_evidence(primary, Share(most, most), 0.01) > log(300)


def test_of_nothing_nothing_is_known() -> None:
    assert log_evidence(Share(0, 0), Share(0, 0), 0.0) == 0
    assert least_increase(Share(0, 0), Share(5, 5), ALPHA) == pytest.approx(-1, abs=0.8)
    assert Share(0, 0).rate == 0
