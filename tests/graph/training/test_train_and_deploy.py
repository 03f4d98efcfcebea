"""`mlops train` and `mlops deploy`, the two halves of `mlops run`, on fakes."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.runs import model_run
from mlops_assets.cli.runs.model_run import ModelRun
from mlops_assets.cli.runs.verb import judged
from mlops_assets.cli.verdict import Verdict, append_report
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.errors import StateError
from mlops_assets.progress import progress
from resources.champion.by_hand import Promotions


def build(loans: dict[str, Any], resources: dict[str, Any]) -> dg.Definitions:
    models = build_model_defs(ModelSettings.model_validate(loans))
    ours = dg.Definitions(resources=resources, loggers={"progress": progress})
    return dg.Definitions.merge(models, ours)


def test_what_passed_is_deployed_by_the_second_half_alone(
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loans["deployment"]["automatic"] = False
    definitions = build(loans, resources)

    verdict = ModelRun(definitions, instance, "loans").train_and_judge()

    assert verdict.passed
    assert verdict.said == "loans: version 1 passed the gate"
    assert verdict.card.startswith("# loans, version 1")
    assert resources["deployment"].status("loans") is None
    assert resources["ledger"].head("loans") is None

    capsys.readouterr()
    assert ModelRun(definitions, instance, "loans").deploy_evaluated()
    assert resources["deployment"].status("loans").model_version == 1
    first, predicted = capsys.readouterr().out.splitlines()
    assert first.startswith("loans/deployed_endpoint: materialized in "), "and nothing but that"
    assert predicted.startswith("loans: prediction=0.")


def test_a_refused_version_stays_refused_and_is_not_deployed(
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loans["evaluation"]["gate"]["limits"]["roc_auc"]["min"] = 0.9999
    definitions = build(loans, resources)

    first = ModelRun(definitions, instance, "loans").train_and_judge()
    again = ModelRun(definitions, instance, "loans").train_and_judge()

    assert not first.passed
    assert "loans: version 1 is refused: roc_auc" in first.said
    assert first.card.startswith("# loans, version 1")
    assert again == first, "nothing was out of date, and it is as bad as it was"
    assert not ModelRun(definitions, instance, "loans").deploy_evaluated()
    assert "did not pass the gate: roc_auc" in capsys.readouterr().err
    assert resources["deployment"].status("loans") is None


def test_a_training_that_fails_does_not_show_the_verdict_of_the_one_before(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    definitions = build(loans, resources)
    assert ModelRun(definitions, instance, "loans").train_and_judge().passed
    Path(loans["source"]["uri"]).unlink()

    verdict = ModelRun(definitions, instance, "loans").train_and_judge()

    assert verdict == Verdict(
        model="loans", passed=False, said="loans: not evaluated, since a step before that failed"
    )


def test_only_a_training_that_passed_is_said_to_be_done(
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_run, "_WORTH_SAYING_SECONDS", 0)
    one = ModelRun(build(loans, resources), instance, "loans")
    assert [verdict.passed for verdict in judged([one])] == [True]
    assert "loans: done after " in capsys.readouterr().out
    Path(loans["source"]["uri"]).unlink()
    assert [verdict.passed for verdict in judged([one])] == [False]
    assert "loans: ended after " in capsys.readouterr().out


@pytest.fixture
def moved(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> dg.Definitions:
    """Version 3, of new data, passed beside champion 2, which was rolled back since."""
    loans["evaluation"]["gate"]["against_champion"] = "off"
    definitions = build(loans, resources)
    assert ModelRun(definitions, instance, "loans").bring_up_to_date()
    for first in (400, 420):
        append(loans, first)
        assert ModelRun(definitions, instance, "loans").train_and_judge().passed
        if first == 400:
            assert ModelRun(definitions, instance, "loans").deploy_evaluated()
    promotions(loans, resources).roll_back(None, "too slow", "ada")
    return definitions


def append(loans: dict[str, Any], first: int) -> None:
    file = Path(loans["source"]["uri"])
    days = {n: date(2025, 2, 4) + timedelta(days=n - 400) for n in range(first, first + 20)}
    rows = [f"{n},{day},{n % 7}.5,a,0\n" for n, day in days.items()]
    file.write_text(file.read_text() + "".join(rows))


def promotions(loans: dict[str, Any], resources: dict[str, Any]) -> Promotions:
    settings = ModelSettings.model_validate(loans).deployment
    return Promotions(
        "loans", settings, *(resources[name] for name in ("tracking", "ledger", "deployment"))
    )


MOVED = (
    "loans/evaluation_report is out of date: "
    "the champion is models:/loans/1, and models:/loans/2 was when it was made"
)


def test_a_run_evaluates_again_beside_the_champion_that_a_rollback_left(
    moved: dg.Definitions,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    assert ModelRun(moved, instance, "loans").bring_up_to_date()
    assert MOVED in capsys.readouterr().out.splitlines()
    assert resources["ledger"].head("loans").to_version == 3


def test_of_the_two_halves_the_first_evaluates_again_and_the_second_says_so(
    moved: dg.Definitions,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not ModelRun(moved, instance, "loans").deploy_evaluated()
    assert "evaluated; run `mlops train loans`, which evaluates" in capsys.readouterr().err
    assert (
        ModelRun(moved, instance, "loans").train_and_judge().said
        == "loans: version 3 passed the gate"
    )
    assert MOVED in capsys.readouterr().out.splitlines()
    assert ModelRun(moved, instance, "loans").train_and_judge().passed
    assert "out of date" not in capsys.readouterr().out.replace("deployed_endpoint is", "")
    assert ModelRun(moved, instance, "loans").deploy_evaluated()
    assert resources["ledger"].head("loans").to_version == 3


def test_a_run_with_nothing_new_leaves_the_champion_that_somebody_chose(
    moved: dg.Definitions,
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ModelRun(moved, instance, "loans").bring_up_to_date()
    promotions(loans, resources).promote(2, "it was the network", "ada")
    capsys.readouterr()
    assert ModelRun(moved, instance, "loans").bring_up_to_date()
    assert "out of date" not in capsys.readouterr().out
    assert resources["ledger"].head("loans").to_version == 2


def test_a_report_is_added_to_what_the_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    verdicts = [
        Verdict(
            model="a", version=1, passed=True, said="a: version 1 passed the gate", card="# a\n"
        ),
        Verdict(model="b", passed=False, said="b: failed"),
    ]
    append_report(file, verdicts)
    assert file.read_text() == "before\n- a: version 1 passed the gate\n- b: failed\n\n# a\n\n"
    with pytest.raises(StateError, match="cannot write"):
        append_report(tmp_path / "nowhere" / "summary.md", verdicts)


def test_rows_that_are_put_aside_are_named_once_and_stay_facts(
    loans: dict[str, Any],
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = loans_csv.read_text().splitlines()
    lines[7], lines[8] = "6,2024-01-07,-5,a,0", "7,someday,-5,a,0"
    loans_csv.write_text("\n".join(lines) + "\n")
    run = ModelRun(build(loans, resources), instance, "loans")

    verdict = run.train_and_judge()

    assert verdict.rejected is not None
    assert verdict.rejected.broken_rules == {"amount.min": 2, "time.dtype": 1}
    folder = resources["datasets"].quarantine
    said = f"loans: 2 of 400 rows are put aside (amount.min 2, time.dtype 1), in {folder}"
    assert said in capsys.readouterr().err
    assert run.train_and_judge() == verdict
    assert "put aside" not in capsys.readouterr().err


def test_a_delivery_that_changes_no_feature_trains_nothing_again(
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Path(loans["source"]["uri"]).read_text(encoding="utf-8").splitlines()
    folder = tmp_path / "daily"
    folder.mkdir()

    def arrives(name: str, rows: list[str]) -> None:
        (folder / name).write_text("\n".join([lines[0], *rows, ""]), encoding="utf-8")

    loans["source"]["uri"] = str(folder / "*.csv")
    loans["partitions"] = {"cadence": "day", "start": "2024-01-01"}
    definitions = build(loans, resources)
    arrives("a.csv", lines[1:-1])
    assert ModelRun(definitions, instance, "loans").bring_up_to_date()

    arrives("b.csv", ["1000,2024-12-01,-5,a,1"])  # an amount below 0 goes to quarantine
    assert ModelRun(definitions, instance, "loans").bring_up_to_date()
    said = capsys.readouterr()
    assert "loans: up to date" in said.out
    assert "1 of 400 rows" in said.err
    assert len(resources["tracking"].registry.versions("loans")) == 1

    arrives("c.csv", lines[-1:])
    assert ModelRun(definitions, instance, "loans").train_and_judge().said.endswith("the gate")
    assert len(resources["tracking"].registry.versions("loans")) == 2
