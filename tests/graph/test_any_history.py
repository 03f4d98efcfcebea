"""Whatever happens to a model, the rules of `tests.worlds.loop` hold."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.worlds.effort import worlds
from tests.worlds.loop import Loop


def test_no_history_breaks_a_rule() -> None:
    run_state_machine_as_test(Loop, settings=settings(worlds(4, shrink=False), stateful_step_count=12))
