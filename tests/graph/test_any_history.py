"""Whatever happens to a model, the rules of `tests.worlds.loop` hold."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.worlds.effort import worlds
from tests.worlds.loop import Loop
from tests.worlds.mutants import MUTANTS


def test_no_history_breaks_a_rule() -> None:
    run_state_machine_as_test(
        Loop, settings=settings(worlds(4, shrink=False), stateful_step_count=12)
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_promise_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant, loop = MUTANTS[name], Loop()
    loop.begin(mutant.policy)
    with monkeypatch.context() as patch:
        mutant.breaks(patch, loop)
        with pytest.raises(AssertionError):
            mutant.history(loop)
            loop.the_ledger_is_a_line()
            loop.all_name_the_same_champion()
            loop.the_gate_passes_nothing_that_was_given_up()
    loop.close()
