"""The product with one promise broken, to see that the state machine of the loop notices.

Each mutant is a function that breaks it, and a short history in which that shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mlops_assets.records.promotion import Move
from resources.champion.by_hand import Promotions
from resources.champion.ledger import PromotionLedger
from tests.support.fakes.deployment import FakeDeployment
from tests.support.fakes.tracking import FakeRegistry, FakeRun
from tests.worlds.loop import Loop

Patch = pytest.MonkeyPatch
EAGER = {"cooldown": "1s", "backoff": "1s", "budget_per_month": 100}
SLOW = {"cooldown": "3d", "backoff": "1s", "budget_per_month": 100}


@dataclass(frozen=True)
class Mutant:
    """A broken promise, and what shows it."""

    breaks: Callable[[Patch, Loop], None]
    history: Callable[[Loop], None]
    policy: dict[str, Any]


def _loses_a_row(patch: Patch, loop: Loop) -> None:
    whole = PromotionLedger.history
    patch.setattr(PromotionLedger, "history", lambda self, model: whole(self, model)[1:])


def _leaves_the_alias(patch: Patch, loop: Loop) -> None:
    patch.setattr(FakeRegistry, "set_alias", lambda self, model, alias: None)


def _leaves_the_endpoint(patch: Patch, loop: Loop) -> None:
    def stays(self: FakeDeployment, name: str, *_: Any, confirm: Callable[[], None]) -> Any:
        confirm()
        return self.status(name)

    patch.setattr(FakeDeployment, "redeploy", stays)


def _says_nothing(patch: Patch, loop: Loop) -> None:
    patch.setattr("jobs.promotion.events", lambda *_: ())


def _forgets_the_rollback(patch: Patch, loop: Loop) -> None:
    for module in ("mlops_assets.model_versions.champion.deployment", "resources.champion.aliases"):
        patch.setattr(f"{module}.require_not_given_up", lambda *_: None)
    patch.setattr("mlops_assets.model_versions.gate.hold_against", lambda *_: None)


def _restores_the_newest(patch: Patch, loop: Loop) -> None:
    def newest(self: Promotions) -> Any:
        versions = [number for _, number in self.deployment._state.kept]
        return self.deployment.redeploy(self.model, max(versions), self.settings)

    patch.setattr(Promotions, "restore", newest)


def _never_buries(patch: Patch, loop: Loop) -> None:
    patch.setattr("resources.tracking.outcome.is_gone", lambda process: False)


def _sees_no_run(patch: Patch, loop: Loop) -> None:
    patch.setattr("sensors.retrain_signals.unfinished_trainings", lambda *_: ())


def _knows_no_limit(patch: Patch, loop: Loop) -> None:
    patch.setattr("mlops_assets.ml.retraining.policy._limit", lambda *_: None)


def _overlooks_new_data(patch: Patch, loop: Loop) -> None:
    patch.setattr("mlops_assets.ml.retraining.policy._source_changed", lambda *_: False)


def _promotes_before_the_end(patch: Patch, loop: Loop) -> None:
    def at_once(self: FakeRun, *_: Any) -> None:
        life = loop.life
        ledger, models = life.resources["ledger"], life.resources["tracking"].server.models
        number = 1 + [run_id for run_id, _ in models].index(self.id)
        move = Move(model="loans", to_version=number, who="me", why="gate")
        ledger.append(move, ledger.head("loans"))

    patch.setattr(FakeRun, "log_plots", at_once)


def _retrain(loop: Loop) -> None:
    loop.data_come("good")
    loop.somebody_trains("ends", 1)


def _retrain_and_go_back(loop: Loop) -> None:
    _retrain(loop)
    loop.somebody_rolls_back()


def _train_again_after_going_back(loop: Loop) -> None:
    _retrain_and_go_back(loop)
    loop.somebody_trains("ends", 1)


def _crash_after_going_back(loop: Loop) -> None:
    _retrain_and_go_back(loop)
    loop.the_endpoint_crashes_and_is_seen()


def _die_and_settle(loop: Loop) -> None:
    loop.somebody_trains("never_started", 1)
    loop.the_dead_are_settled()


def _look_twice(loop: Loop) -> None:
    for _ in range(2):
        loop.data_come("good")
        loop.time_goes_by(1)
        loop.the_policy_looks("killed", 1)
        loop.the_dead_are_settled()


def _look_while_somebody_trains(loop: Loop) -> None:
    loop.somebody_trains("killed", 1)
    loop.data_come("good")
    loop.time_goes_by(1)
    loop.the_policy_looks("ends", 1)


def _look_while_paused(loop: Loop) -> None:
    loop.somebody_pauses(48)
    loop.data_come("good")
    loop.time_goes_by(1)
    loop.the_policy_looks("ends", 1)


def _be_canceled(loop: Loop) -> None:
    loop.somebody_trains("canceled", 6)


MUTANTS = {
    "a ledger that loses a row": Mutant(_loses_a_row, _retrain, EAGER),
    "a registry that keeps its alias": Mutant(_leaves_the_alias, _retrain, EAGER),
    "an endpoint that stays": Mutant(_leaves_the_endpoint, _retrain_and_go_back, EAGER),
    "a move that leaves no event": Mutant(_says_nothing, _retrain_and_go_back, EAGER),
    "a rollback that is undone": Mutant(
        _forgets_the_rollback, _train_again_after_going_back, EAGER
    ),
    "a crash that brings the newest": Mutant(_restores_the_newest, _crash_after_going_back, EAGER),
    "dead runs that are left": Mutant(_never_buries, _die_and_settle, EAGER),
    "two trainings in flight": Mutant(_sees_no_run, _look_while_somebody_trains, EAGER),
    "a cooldown that is none": Mutant(_knows_no_limit, _look_twice, SLOW),
    "a pause that is none": Mutant(_knows_no_limit, _look_while_paused, EAGER),
    "new data that are forgotten": Mutant(_overlooks_new_data, Loop.teardown, EAGER),
    "a promotion before the end": Mutant(_promotes_before_the_end, _be_canceled, EAGER),
}
