"""The verdict on a candidate, from what both versions answered in a step."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.ml.evaluation.canary import divergence, lack, objection, percentile
from mlops_assets.records.rollout import Observed, Sighting, to_three_digits

CANARY = RolloutSettings(strategy="canary")


def observed(
    requests: int = 200,
    errors: int = 0,
    seconds: float = 0.01,
    shift: float = 0.0,
    slow: int = 0,
) -> Observed:
    answers = requests - errors
    times = {seconds: answers - slow} | ({9.0: slow} if slow else {})
    scores: dict[float, int] = {}
    for number in range(answers):
        score = to_three_digits(number % 100 / 100 + shift)
        scores[score] = scores.get(score, 0) + 1
    return Observed(requests=requests, errors=errors, seconds=times, scores=scores)


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [
        (observed(), None),
        (observed(seconds=0.06), None),
        (
            observed(seconds=0.21),
            r"p99 latency is 210\.0 ms against 10\.0 ms, and 200 of 200 \(100\.0%\) of its answers "
            r"took longer than 70\.0 ms \(2 times and 50 ms more\) against 0 of 200 \(0\.0%\): at "
            r"least \d\d\.\d percentage points more \(allowed: 1; false-alarm rate: 0\.01\)$",
        ),
        (observed(requests=99, seconds=0.21), None),
        (observed(slow=2), None),
        (observed(slow=60), r"60 of 200 \(30\.0%\) of its answers took longer than 70\.0 ms"),
        (observed(errors=1), None),
        (observed(errors=10), None),
        (
            observed(errors=30),
            r"^30 of 200 \(15\.0%\) of its requests failed against 0 of 200 \(0\.0%\): at least "
            r"\d\.\d percentage points more \(allowed: 1; false-alarm rate: 0\.01\)$",
        ),
        (observed(requests=5, errors=5), r"5 of 5 \(100\.0%\) of its requests failed"),
        (observed(requests=1, errors=1), None),
        (observed(requests=99, shift=0.9), None),
        (observed(shift=0.3), None),
        (observed(shift=0.8), r"diverge by 0\.80 .*, 200 of 200 \(100\.0%\) are above 0\.79 agai"),
        (observed(shift=-0.8), r"diverge by 0\.80 .*, 160 of 200 \(80\.0%\) are at most -0\.01 ag"),
    ],
)
def test_verdicts(candidate: Observed, verdict: str | None) -> None:
    found = objection(Sighting(primary=observed(), candidate=candidate), CANARY)
    if verdict is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(verdict, found)


@pytest.mark.parametrize(
    ("candidate", "waits_for"),
    [
        (observed(), None),
        (observed(errors=2), None),
        (observed(requests=99), "it had 99 requests and the other version 200, each needs 100 a s"),
        (
            observed(errors=3),
            r"^3 of 200 \(1\.5%\) of its requests failed against 0 of 200 \(0\.0%\): 1\.5 "
            r"percentage points more \(allowed: 1\), which may be chance$",
        ),
        (observed(slow=3), r"took longer than 70\.0 ms .*, which may be chance"),
        (
            observed(shift=0.35),
            r"diverge by 0\.35 .*: 35\.0 percentage points more \(allowed: 30\), which ",
        ),
    ],
)
def test_a_step_goes_on_while_the_candidate_looks_worse(
    candidate: Observed, waits_for: str | None
) -> None:
    seen = Sighting(primary=observed(), candidate=candidate)
    found = lack(seen, CANARY)
    assert objection(seen, CANARY) is None
    if waits_for is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(waits_for, found)


def test_a_stricter_false_alarm_rate_wants_more_to_be_seen() -> None:
    seen = Sighting(primary=observed(requests=1000), candidate=observed(errors=14))
    assert objection(seen, CANARY) is not None
    strict = CANARY.model_copy(update={"false_alarm_rate": 1e-6})
    assert objection(seen, strict) is None


def test_each_step_has_its_part_of_the_false_alarm_rate() -> None:
    alone = CANARY.model_copy(update={"strategy": "shadow"})
    found = [
        next(
            errors
            for errors in range(100)
            if objection(Sighting(primary=observed(), candidate=observed(errors=errors)), settings)
        )
        for settings in (alone, CANARY)
    ]
    assert found[0] < found[1] <= found[0] + 2


counts = st.dictionaries(st.floats(-1e3, 1e3).map(to_three_digits), st.integers(1, 50), min_size=1)


@given(counts, counts)
def test_a_version_that_answers_alike_is_never_rejected_by_scores_or_times(
    seconds: dict[float, int], scores: dict[float, int]
) -> None:
    same = Observed(requests=10**6, seconds=seconds, scores=scores)
    seen = Sighting(primary=same, candidate=same)
    assert (objection(seen, CANARY), lack(seen, CANARY)) == (None, None)
    assert divergence(scores, scores)[1] == 0


@given(counts)
def test_a_percentile_is_the_least_value_that_enough_are_not_above(values: dict[float, int]):
    found = percentile(values, 0.99)
    total = sum(values.values())
    assert sum(count for value, count in values.items() if value > found) <= 0.01 * total + 1e-6
    assert sum(count for value, count in values.items() if value >= found) > 0.01 * total - 1e-6


def test_divergence_of_scores() -> None:
    assert divergence({1: 1, 2: 1, 3: 1}, {3: 2, 1: 2, 2: 2}) == (1, 0)
    assert divergence({1: 1, 2: 1}, {8: 1, 9: 1, 10: 1}) == (2, 1)
    assert divergence({0: 1, 1: 1}, {1: 2}) == (0, 0.5)


def test_what_two_workers_saw_is_added() -> None:
    one = Observed(requests=3, errors=1, seconds={0.1: 2}, scores={0.5: 1, 0.2: 1})
    other = Observed(requests=1, seconds={0.1: 1}, scores={0.9: 1})
    both = one + other
    assert (both.requests, both.errors, both.seconds) == (4, 1, {0.1: 3})
    assert both.scores == {0.5: 1, 0.2: 1, 0.9: 1}
    assert Observed.model_validate_json(both.model_dump_json()) == both
