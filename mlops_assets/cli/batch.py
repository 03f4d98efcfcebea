"""The verbs `check`, `run`, `train` and `deploy`, in which no model stops another."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg

from mlops_assets.cli.checks import disputes, is_ready, python_faults, sound_models
from mlops_assets.cli.context import chosen_models, load_definitions, say, say_both, sentence
from mlops_assets.cli.failures import unforeseen
from mlops_assets.cli.runs import bring_up_to_date, deploy_evaluated, settle_runs, train_and_judge
from mlops_assets.cli.verdict import Verdict, append_report
from mlops_assets.errors import MlopsError
from mlops_assets.home import home
from mlops_assets.runtime.atomic import exclusive
from mlops_assets.runtime.interrupts import interruptible


def run(models: Sequence[str]) -> int:
    """Bring each model from its source to a live endpoint; one sample prediction each."""
    with _models_of_a_run(models) as (definitions, instance, chosen):

        def bring_up(model: str) -> bool:
            return is_ready(definitions, instance, model) and bring_up_to_date(
                definitions, instance, model
            )

        failed = [model for model in chosen if not survived(model, bring_up)]
    return _say_failed(failed)


def train(models: Sequence[str], report: Path | None) -> int:
    """Bring each model from its source to the gate's verdict; exit code 1 unless all passed."""
    with _models_of_a_run(models) as (definitions, instance, chosen):
        verdicts: list[Verdict] = []

        def judge(model: str) -> bool:
            verdicts.append(train_and_judge(definitions, instance, model))
            return True

        failed = [
            model
            for model in chosen
            if not is_ready(definitions, instance, model) or not survived(model, judge)
        ]
    verdicts += [Verdict(f"{model}: not trained", passed=False) for model in failed]
    if report:
        append_report(report, verdicts)
    passed = [verdict.said for verdict in verdicts if verdict.passed]
    return say_both(passed, [verdict.said for verdict in verdicts if not verdict.passed])


def deploy(models: Sequence[str]) -> int:
    """Deploy each model's version that was evaluated last; one sample prediction each."""
    with _models_of_a_run(models) as (definitions, instance, chosen):
        go = partial(deploy_evaluated, definitions, instance)
        failed = [model for model in chosen if not survived(model, go)]
    return _say_failed(failed)


def survived(model: str, do: Callable[[str], bool]) -> bool:
    """What `do` says of a model; an error of one is said, and does not stop the others."""
    try:
        return do(model)
    except MlopsError as err:
        say(f"{model}: {sentence(err)}", error=True)
    except Exception as err:  # the last resort of a command line: a line, and nothing lost
        say(f"{model}: {unforeseen(err)}", error=True)
    return False


def check(models: Sequence[str]) -> int:
    """Print every fault of the models' YAML files, and what of their Python cannot be used."""
    chosen, sound, claimed = chosen_models(load_definitions(), models), sound_models(), disputes()
    faults = {model: [*claimed[model], *python_faults(sound[model])] for model in chosen}
    good = [f"{model}: sound" for model in chosen if not faults[model]]
    return say_both(good, [str(fault) for model in chosen for fault in faults[model]])


@contextmanager
def _models_of_a_run(
    models: Sequence[str],
) -> Generator[tuple[dg.Definitions, dg.DagsterInstance, list[str]]]:
    """Hold the lock of runs, and end those of killed processes first."""
    definitions = load_definitions()
    with interruptible(), exclusive(home() / "run.lock"), dg.DagsterInstance.get() as instance:
        settle_runs(definitions, instance)
        yield definitions, instance, chosen_models(definitions, models)


def _say_failed(models: Sequence[str]) -> int:
    if models:
        say(f"failed: {', '.join(models)}", error=True)
    return 1 if models else 0
