"""`mlops`: thin verbs over the same definitions that Dagster loads.

`check` finds every fault of the YAML files; `run` brings models up to date and live, `train` and
`deploy` are its two halves; `up`, `predict`, `status` and `stop` talk to the endpoints;
`history`, `rollback` and `promote` look at the champion and move it; `reproduce` trains a version
again and compares; `why`, `pause` and `resume` look at the retrain policy and hold it;
`dev` starts the user interfaces; `env` prints what plain `dagster` commands need.
"""

import argparse
import getpass
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from mlops_assets.cli.batch import check, deploy, run, survived, train
from mlops_assets.cli.checks import add_check_verb
from mlops_assets.cli.context import (
    chosen_models,
    load_definitions,
    open_deployment,
    open_promotions,
    open_resources,
    say,
    say_both,
    sentence,
)
from mlops_assets.cli.endpoints import (
    add_endpoint_verbs,
    answers,
    bring_up,
    describe,
    held_models,
    undescribed,
)
from mlops_assets.cli.failures import unforeseen
from mlops_assets.cli.monitoring import Retraining, add_monitoring_verbs
from mlops_assets.cli.promotions import add_promotion_verbs, announce, said_as_of, said_history
from mlops_assets.cli.reproduction import add_reproduction_verb, reproduce_named
from mlops_assets.cli.runs import add_run_verbs
from mlops_assets.components.loading import left_out
from mlops_assets.errors import FaultyModelError, MlopsError
from mlops_assets.home import PROJECT_ROOT, home, require_addressable
from mlops_assets.interfaces.dev import serve_user_interfaces
from mlops_assets.runtime.atomic import ensure_folder, write_atomically
from mlops_assets.runtime.surroundings import chosen_umask
from resources.endpoints.api_keys import digest, new_key

_FOLDERS = ("storage", "local_artifact_storage", "compute_logs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; errors of ours are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="mlops", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    add_check_verb(verbs)
    add_run_verbs(verbs)
    add_endpoint_verbs(verbs)
    add_promotion_verbs(verbs)
    add_monitoring_verbs(verbs)
    add_reproduction_verb(verbs)
    verbs.add_parser("api-key", help="make an API key: print it once, and the digest to deploy")
    verbs.add_parser("dev", help="Dagster UI, daemon and MLflow UI until Ctrl-C")
    verbs.add_parser("env", help="shell exports for plain dagster commands")
    verb = verbs.add_parser("bento", help="build a Bento of the deployed version, offline")
    verb.add_argument("model")
    verb.add_argument("--out", type=Path, metavar="DIR", help="BENTOML_HOME that gets it")
    chosen = vars(parser.parse_args(arguments))
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries about each other; tests show them
    try:
        chosen_umask()
        os.environ["MLOPS_HOME"] = str(home())  # in full, also for what starts elsewhere
        use_dagster_home(home())
        verb = chosen.pop("verb")
        code = _VERBS[verb](**chosen)
        return _say_left_out(code) if verb in _OF_ALL and not chosen["models"] else code
    except FaultyModelError as err:
        say(str(err), error=True)
        return 1
    except MlopsError as err:
        say(sentence(err), error=True)
        return 1
    except Exception as err:  # the last resort of a command line: a line, and nothing lost
        say(unforeseen(err), error=True)
        return 1
    except KeyboardInterrupt:
        say("canceled; the same command goes on from here", error=True)
        return 130


def use_dagster_home(state: Path) -> Path:
    """Point DAGSTER_HOME into the state folder, unless it is set, and configure it.

    Raises:
        StateError: It cannot be used.
    """
    named = Path(os.environ.get("DAGSTER_HOME") or state / "dagster").absolute()
    folder = ensure_folder(require_addressable(named, "DAGSTER_HOME"))
    os.environ["DAGSTER_HOME"] = str(folder)
    if not (folder / "dagster.yaml").exists():
        text = (PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8")
        settings = {k: v for k, v in yaml.safe_load(text).items() if k not in _FOLDERS}
        write_atomically(
            folder / "dagster.yaml",
            lambda file: file.write_text(yaml.safe_dump(settings), encoding="utf-8"),
        )
    return folder


def _say_left_out(code: int) -> int:
    """Name what `all models` did not mean, since its YAML has faults; the exit code then."""
    lines = [line for faults in left_out(load_definitions()).values() for line in faults]
    return say_both([], lines) or code


def predict(model: str, entities: Sequence[str]) -> int:
    """Print one line per entity; exit code 1 when one is refused."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_deployment(definitions) as deployment:
        good, bad = answers(deployment, model, entities)
    return say_both(good, bad)


def status(models: Sequence[str]) -> int:
    """Print what each endpoint serves; exit code 1 unless that is its champion, by a sound YAML."""
    definitions = load_definitions()
    good = True
    with open_resources(definitions, "deployment", "ledger") as built:
        strays = undescribed(definitions, built.deployment)
        for model in chosen_models(definitions, models, strays):
            line, serves = describe(built.deployment, built.ledger, model)
            if model in strays:
                line, serves = f"{line}; serves, {strays[model]}: `mlops stop {model}`", False
            good &= serves
            say(line)
    return 0 if good else 1


def up(models: Sequence[str]) -> int:
    """Bring back the endpoints that were live, from their kept files; exit code 1 if one fails."""
    good, bad = bring_up(models)
    if not good and not bad:
        say("nothing to bring up; one that was stopped comes back by its name: `mlops up MODEL`")
    return say_both(good, bad)


def stop(models: Sequence[str]) -> int:
    """End the processes of endpoints, of whatever model the state holds one; their state stays."""
    definitions = load_definitions()
    with open_deployment(definitions) as deployment:

        def end(model: str) -> bool:
            deployment.stop(model)
            return True

        ended = [
            survived(model, end) for model in chosen_models(definitions, models, held_models())
        ]
    return 0 if all(ended) else 1


def history(model: str, at: str | None) -> int:
    """Print who was champion when, and why."""
    with open_promotions(load_definitions(), model) as promotions:
        ledger = promotions.ledger
        say(said_as_of(model, at, ledger) if at else said_history(model, ledger))
    return 0


def rollback(model: str, to: int | None, why: str | None) -> int:
    """Serve an older version again."""
    with open_promotions(load_definitions(), model) as promotions:
        moved = promotions.roll_back(to, why or "", getpass.getuser())
    announce(moved, give_up=True)
    return 0


def promote(model: str, version: int, why: str) -> int:
    """Serve a version that was deployed before, whatever the gate says."""
    with open_promotions(load_definitions(), model) as promotions:
        moved = promotions.promote(version, why, getpass.getuser())
    announce(moved, give_up=False)
    return 0


def retraining(verb: str, model: str, **arguments: Any) -> int:
    """Look at the retrain policy of a model, or hold it."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "decisions") as built:
        say(getattr(Retraining(model, built.decisions), verb)(**arguments))
    return 0


def reproduce(name: str) -> int:
    """Train a version again; exit code 1 when its predictions differ, or it is impossible."""
    said, equal = reproduce_named(name, load_definitions())
    say(said)
    return 0 if equal else 1


def dev() -> int:
    """Serve the user interfaces until Ctrl-C."""
    return serve_user_interfaces(home())


def api_key() -> int:
    """Print a new key and its digest; neither is kept."""
    key = new_key()
    say(f"key     {key}    for the client, as `X-API-Key: ...` or `Authorization: Bearer ...`")
    say(f"digest  {digest(key)}    for the variable of deployment.api_keys.env")
    return 0


def env() -> int:
    """Print `export` lines; use as `eval "$(mlops env)"`."""
    for name in ("MLOPS_HOME", "DAGSTER_HOME"):
        say(f"export {name}={shlex.quote(os.environ[name])}")
    return 0


def bento(model: str, out: Path | None) -> int:
    """Build a Bento of what is deployed, and print its folder."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "bentos") as built:
        say(f"{model}: {built.bentos.build(model, out)}")
    return 0


_VERBS = {
    "check": check,
    "run": run,
    "train": train,
    "deploy": deploy,
    "predict": predict,
    "status": status,
    "up": up,
    "stop": stop,
    "history": history,
    "rollback": rollback,
    "promote": promote,
    **{verb: partial(retraining, verb) for verb in ("why", "pause", "resume")},
    "reproduce": reproduce,
    "api-key": api_key,
    "dev": dev,
    "env": env,
    "bento": bento,
}

_OF_ALL = ("run", "train", "deploy", "status", "check")
"""Verbs that mean all models when none is named."""


if __name__ == "__main__":
    sys.exit(main())
