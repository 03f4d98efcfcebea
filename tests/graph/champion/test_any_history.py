"""Whatever happens to a model, the rules of `tests.worlds.loop` hold."""

from contextlib import closing

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.worlds.effort import worlds
from tests.worlds.loop import Loop
from tests.worlds.mutants import MUTANTS


def test_no_history_breaks_a_rule() -> None:
    run_state_machine_as_test(
        Loop, settings=settings(worlds(1, shrink=False), stateful_step_count=12)
    )


@pytest.mark.thorough
@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_promise_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]

    def lives(loop: Loop) -> None:
        mutant.history(loop)
        loop.check()

    with closing(Loop()) as loop, monkeypatch.context() as patch:
        loop.begin(mutant.policy)
        mutant.breaks(patch, loop)
        with pytest.raises(AssertionError):
            lives(loop)
