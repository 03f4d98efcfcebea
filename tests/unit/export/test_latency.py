"""The measurement of latency, by a clock of our own."""

import pytest

from mlops_assets.ml.export.latency import BLOCKS, CALLS, WARM_UP, latency_p99_ms


class Machine:
    """Each call takes what `takes` says of its number; calls of the warm-up are counted too."""

    def __init__(self, takes):
        self.now, self.calls, self.takes, self.seen = 0.0, 0, takes, []

    def score(self, row):
        self.seen.append(row)
        self.now += self.takes(self.calls) / 1000
        self.calls += 1

    def measured(self, enough=0.5):
        return latency_p99_ms(self.score, ["a", "b"], enough=enough, clock=lambda: self.now)


def test_the_warm_up_does_not_count():
    machine = Machine(lambda call: 500 if call < WARM_UP else 3)
    assert machine.measured() == pytest.approx(3)
    assert machine.calls == WARM_UP + BLOCKS * CALLS
    assert machine.seen[:3] == ["a", "b", "a"]


def test_it_is_the_99th_percentile_and_no_mean():
    machine = Machine(lambda call: 40 if call % 50 == 0 else 1)
    assert machine.measured() == pytest.approx(40), "two of a hundred are slow"
    machine = Machine(lambda call: 40 if call == WARM_UP + 7 else 1)
    assert machine.measured(enough=2) == pytest.approx(1), "one of two hundred"


def test_a_disturbed_block_does_not_count():
    machine = Machine(lambda call: 90 if WARM_UP <= call < WARM_UP + CALLS else 2)
    assert machine.measured() == pytest.approx(2)


def test_a_block_within_the_limit_is_enough():
    machine = Machine(lambda call: 2)
    assert machine.measured(enough=5) == pytest.approx(2)
    assert machine.calls == WARM_UP + CALLS
