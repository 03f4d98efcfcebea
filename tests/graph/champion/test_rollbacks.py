"""A rollback holds, also against a training in flight, until something is new."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from resources.champion.by_hand import Promotions
from resources.champion.rollbacks import hold_against
from tests.support.fakes.tracking import FakeRegistry, FakeTracking
from tests.support.runs.pipeline_runs import STAGES, failure, materialize, metadata


@pytest.fixture
def loans(loans: dict[str, Any]) -> dict[str, Any]:
    """Of the gate, rollbacks are the one rule that is looked at here."""
    loans["evaluation"]["gate"]["against_champion"] = "off"
    return loans


@pytest.fixture
def promotions(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> Promotions:
    """Version 1 of the old data; version 2, of new data, was live and is given up."""
    materialize(settings, resources, instance)
    append(settings, 400)
    materialize(settings, resources, instance)
    names = ("tracking", "ledger", "deployment")
    found = Promotions("loans", settings.deployment, *(resources[name] for name in names))
    assert served(found) == 2
    found.roll_back(None, "too slow", "ada")
    return found


def append(settings: ModelSettings, first: int) -> str:
    """New content of the source: as many loans more as the fake endpoint has recorded requests."""
    file = Path(str(settings.source.uri))
    days = {n: date(2025, 2, 4) + timedelta(days=n - 400) for n in range(first, first + 20)}
    rows = [f"{n},{day},{n % 7}.5,a,0\n" for n, day in days.items()]
    file.write_text(file.read_text() + "".join(rows))
    return file.read_text()


def served(promotions: Promotions) -> int:
    found, head = promotions.deployment.status("loans"), promotions.ledger.head("loans")
    assert found is not None
    assert head is not None
    aliased = promotions.tracking.registry.version_by_alias("loans", "champion")
    assert aliased is not None
    assert found.model_version == head.to_version == aliased.version
    return found.model_version


def test_the_same_again_under_another_number_is_refused_by_the_gate(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    result = materialize(settings, resources, instance)
    reasons = metadata(result, "loans", "evaluation_report")["reasons"]
    assert "version 3 of loans is made of the same data, code and settings as version 2" in reasons
    assert "given up by ada" in reasons
    assert "rollback: too slow" in reasons
    assert "`mlops promote loans 2 --why TEXT` overrules" in reasons
    assert "mlops rollback" not in reasons, "what it would serve serves already"
    assert served(promotions) == 1


def test_a_training_in_flight_does_not_undo_it(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """Evaluated before the rollback, deployed after it."""
    names = ("tracking", "ledger", "deployment")
    promotions = Promotions("loans", settings.deployment, *(resources[name] for name in names))
    materialize(settings, resources, instance)
    append(settings, 400)
    materialize(settings, resources, instance)
    assert materialize(settings, resources, instance, STAGES[:6]).success
    promotions.roll_back(None, "", "ada")
    late = materialize(settings, resources, instance, ["deployed_endpoint"])
    assert "version 3 of loans is made of the same data" in failure(late)
    assert served(promotions) == 1


def test_new_data_end_it(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    append(settings, 420)
    assert materialize(settings, resources, instance).success
    assert served(promotions) == 3
    second = promotions.tracking.registry.version("loans", 2)
    assert second is not None
    hold = hold_against(second, promotions.ledger.history("loans"), promotions.tracking)
    assert hold is not None
    assert "`mlops rollback loans --to 1` serves what it went back to" in hold.said(2)


def test_settings_of_the_training_end_it_and_others_do_not(
    promotions: Promotions,
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    loans["owners"] = ["team:credit"]
    loans["monitoring"] = {"retrain": {"cooldown": "1h"}}
    assert not materialize(ModelSettings.model_validate(loans), resources, instance).success
    assert served(promotions) == 1
    loans["training"]["params"] = {"C": 0.5}
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    assert served(promotions) == 4


def test_a_person_ends_it(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    promotions.promote(2, "it was the network", "bob")
    assert materialize(settings, resources, instance).success
    assert served(promotions) == 3


def test_it_holds_also_after_what_was_given_up_was_deleted_from_the_registry(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    deleted = {**resources, "tracking": WithoutTheSecond(**resources["tracking"].model_dump())}
    assert not materialize(settings, deleted, instance).success
    assert served(promotions) == 1


class Emptied(FakeRegistry):
    """A registry from which version 2 was deleted."""

    def version(self, name: str, number: int) -> Any:
        return None if number == 2 else super().version(name, number)


class WithoutTheSecond(FakeTracking):
    registry_class = Emptied


def test_what_a_rollback_passes_over_is_given_up_too(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    third = append(settings, 420)
    materialize(settings, resources, instance)
    append(settings, 440)
    materialize(settings, resources, instance)
    assert served(promotions) == 4
    promotions.roll_back(1, "all of them", "ada")
    Path(str(settings.source.uri)).write_text(third)
    assert not materialize(settings, resources, instance).success, "the content of version 3"
    assert served(promotions) == 1
