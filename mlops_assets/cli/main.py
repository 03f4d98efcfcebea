"""`mlops`: thin verbs over the same definitions that Dagster loads.

`run` brings models up to date and live; `up`, `predict`, `status` and `stop` talk to the endpoints;
`history`, `rollback` and `promote` look at the champion and move it; `reproduce` trains a version
again and compares; `why`, `pause` and `resume` look at the retrain policy and hold it;
`dev` starts the user interfaces; `env` prints what plain `dagster` commands need.
"""

import argparse
import getpass
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from pydantic import ValidationError

from mlops_assets.atomic import ensure_folder, exclusive, write_atomically
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.cli.endpoints import add_endpoint_verbs, answers, bring_up, describe
from mlops_assets.cli.monitoring import Retraining, add_monitoring_verbs
from mlops_assets.cli.promotions import add_promotion_verbs, said_as_of, said_history, said_move
from mlops_assets.cli.reproduction import add_reproduction_verb, reproduce_named
from mlops_assets.dev import serve_user_interfaces
from mlops_assets.errors import ConfigError, DeploymentError, MlopsError
from mlops_assets.freshness import stale_assets
from mlops_assets.home import PROJECT_ROOT, home
from mlops_assets.keys import DEPLOYMENT_SETTINGS, asset_key
from resources.api_keys import digest, new_key
from resources.deployment import EndpointDeployer
from resources.promotions import Promotions
from resources.run_outcome import PROCESS, settle, this_process

_FOLDERS = ("storage", "local_artifact_storage", "compute_logs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; errors of ours are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="mlops", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("run", help="materialize what is out of date, and predict once")
    verb.add_argument("models", nargs="*", help="default: all")
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
        use_dagster_home(home())
        return _VERBS[chosen.pop("verb")](**chosen)
    except MlopsError as err:
        _say(f"{type(err).__name__}: {err}", error=True)
        return 1
    except KeyboardInterrupt:
        return 130


def use_dagster_home(state: Path) -> Path:
    """Point DAGSTER_HOME into the state folder, unless it is set, and configure it."""
    folder = Path(os.environ.setdefault("DAGSTER_HOME", str(state / "dagster")))
    ensure_folder(folder)
    if not (folder / "dagster.yaml").exists():
        text = (PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8")
        settings = {k: v for k, v in yaml.safe_load(text).items() if k not in _FOLDERS}
        write_atomically(
            folder / "dagster.yaml",
            lambda file: file.write_text(yaml.safe_dump(settings), encoding="utf-8"),
        )
    return folder


def run(models: Sequence[str]) -> int:
    """Bring each model from its source to a live endpoint; one sample prediction each."""
    definitions = _definitions()
    with exclusive(home() / "run.lock"), dg.DagsterInstance.get() as instance:
        _settle(definitions, instance)
        failed = [m for m in _chosen(definitions, models) if not _run(definitions, instance, m)]
    if failed:
        _say(f"failed: {', '.join(failed)}", error=True)
    return 1 if failed else 0


def predict(model: str, entities: Sequence[str]) -> int:
    """Print one line per entity."""
    definitions = _definitions()
    _chosen(definitions, [model])
    with _deployment(definitions) as deployment:
        _say("\n".join(answers(deployment, model, entities)))
    return 0


def status() -> int:
    """Print what each endpoint serves; exit code 1 when one is down."""
    definitions = _definitions()
    down = 0
    with _deployment(definitions) as deployment:
        for model in _chosen(definitions, []):
            line = describe(deployment, model)
            down += line is None
            _say(line or f"{model}: -")
    return 1 if down else 0


def up(models: Sequence[str]) -> int:
    """Bring back the endpoints that were live, from their kept files; exit code 1 if one fails."""
    good, bad = bring_up(models)
    for line in good:
        _say(line)
    for line in bad:
        _say(line, error=True)
    return 1 if bad else 0


def stop(models: Sequence[str]) -> int:
    """End the endpoints' processes; their state stays."""
    definitions = _definitions()
    with _deployment(definitions) as deployment:
        for model in _chosen(definitions, models):
            deployment.stop(model)
    return 0


def history(model: str, at: str | None) -> int:
    """Print who was champion when, and why."""
    with _promotions(_definitions(), model) as promotions:
        ledger = promotions.ledger
        _say(said_as_of(model, at, ledger) if at else said_history(model, ledger))
    return 0


def rollback(model: str, to: int | None, why: str | None) -> int:
    """Serve an older version again."""
    with _promotions(_definitions(), model) as promotions:
        _say(said_move(promotions.roll_back(to, why or "", getpass.getuser())))
    return 0


def promote(model: str, version: int, why: str) -> int:
    """Serve a version that was deployed before, whatever the gate says."""
    with _promotions(_definitions(), model) as promotions:
        _say(said_move(promotions.promote(version, why, getpass.getuser())))
    return 0


def retraining(verb: str, model: str, **arguments: Any) -> int:
    """Look at the retrain policy of a model, or hold it."""
    definitions = _definitions()
    _chosen(definitions, [model])
    with dg.build_resources({"decisions": (definitions.resources or {})["decisions"]}) as built:
        _say(getattr(Retraining(model, built.decisions), verb)(**arguments))
    return 0


def reproduce(name: str) -> int:
    """Train a version again; exit code 1 when its predictions differ, or it is impossible."""
    said, equal = reproduce_named(name, _definitions().resources or {})
    _say(said)
    return 0 if equal else 1


def dev() -> int:
    """Serve the user interfaces until Ctrl-C."""
    return serve_user_interfaces(home())


def api_key() -> int:
    """Print a new key and its digest; neither is kept."""
    key = new_key()
    _say(f"key     {key}    for the client, as `X-API-Key: ...` or `Authorization: Bearer ...`")
    _say(f"digest  {digest(key)}    for the variable of deployment.api_keys.env")
    return 0


def env() -> int:
    """Print `export` lines; use as `eval "$(mlops env)"`."""
    _say(f"export MLOPS_HOME={home()}")
    _say(f"export DAGSTER_HOME={os.environ['DAGSTER_HOME']}")
    return 0


def bento(model: str, out: Path | None) -> int:
    """Build a Bento of what is deployed, and print its folder."""
    definitions = _definitions()
    _chosen(definitions, [model])
    with dg.build_resources({"bentos": (definitions.resources or {})["bentos"]}) as built:
        _say(f"{model}: {built.bentos.build(model, out)}")
    return 0


_VERBS = {
    "run": run,
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


def _run(definitions: dg.Definitions, instance: dg.DagsterInstance, model: str) -> bool:
    """Follow the ledger, then the source, and materialize what is stale; False if a step failed."""
    specs = [spec for spec in definitions.resolve_all_asset_specs() if spec.group_name == model]
    raw, endpoint = asset_key(model, "raw_data"), asset_key(model, "deployed_endpoint")
    with _promotions(definitions, model) as promotions:
        _restore(promotions)
        if not _materialize(definitions, instance, model, [raw]):
            return False
        stale, deployment = stale_assets(instance, specs), promotions.deployment
        if endpoint not in stale and deployment.status(model) is None:
            stale[endpoint] = "the endpoint is down"
        for key, reason in stale.items():
            _say(f"{key.to_user_string()} is out of date: {reason}")
        if stale and not _materialize(definitions, instance, model, list(stale)):
            return False
        _say("\n".join(answers(deployment, model, [_sample_entity(instance, model)])))
    return True


def _restore(promotions: Promotions) -> None:
    """Serve what the ledger says; a champion that cannot be served must not stop its successor."""
    try:
        if endpoint := promotions.restore():
            _say(f"{promotions.model}: version {endpoint.model_version} serves, as the ledger says")
    except DeploymentError as err:
        _say(f"{promotions.model}: the ledger's champion does not serve: {err}", error=True)


def _materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    model: str,
    keys: Sequence[dg.AssetKey],
) -> bool:
    job = definitions.resolve_job_def(f"{model}_training")
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(keys),
        raise_on_error=False,
        tags={PROCESS: this_process(), "mlops/launched_by": "mlops run"},
        run_config={"loggers": {"progress": {}}},
    )
    for event in result.filter_events(lambda event: event.is_step_failure):
        _say(f"{event.step_key}: {_cause(event)}", error=True)
    _settle(definitions, instance)
    return result.success


def _cause(event: dg.DagsterEvent) -> str:
    """What a user needs to mend: our message, or the whole trace of what nobody foresaw."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return failure.error.to_string() if failure.error else "failed without an error"


def _settle(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """End the runs of killed processes, which the last one may have been."""
    wanted = {"tracking": (definitions.resources or {})["tracking"]}
    with dg.build_resources(wanted, instance) as built:
        settle(instance, built.tracking)


def _sample_entity(instance: dg.DagsterInstance, model: str) -> str:
    event = instance.get_latest_materialization_event(asset_key(model, "features"))
    if event is None or event.asset_materialization is None:
        raise MlopsError(f"{model}/features was never materialized; run `mlops run {model}`")
    return str(event.asset_materialization.metadata["newest_entity"].value)


def _definitions() -> dg.Definitions:
    from mlops_assets.definitions import defs  # loads every model; `mlops --help` need not

    try:
        return defs()
    except Exception as err:  # Dagster wraps it in several layers; only the YAML's fault is ours
        cause: BaseException | None = err
        while cause and not isinstance(cause, ValidationError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise ConfigError(str(cause)) from err


def _chosen(definitions: dg.Definitions, models: Sequence[str]) -> list[str]:
    known = sorted({str(spec.group_name) for spec in definitions.resolve_all_asset_specs()})
    if unknown := sorted(set(models) - set(known)):
        raise ConfigError(f"no model {unknown}; there are {known}")
    return list(models) or known


@contextmanager
def _deployment(definitions: dg.Definitions) -> Generator[EndpointDeployer]:
    with dg.build_resources({"deployment": (definitions.resources or {})["deployment"]}) as built:
        yield built.deployment


@contextmanager
def _promotions(definitions: dg.Definitions, model: str) -> Generator[Promotions]:
    _chosen(definitions, [model])
    (spec,) = (
        spec
        for spec in definitions.resolve_all_asset_specs()
        if spec.key == asset_key(model, "deployed_endpoint")
    )
    settings = DeploymentSettings.model_validate(spec.metadata[DEPLOYMENT_SETTINGS])
    names = ("tracking", "ledger", "deployment")
    wanted = {name: (definitions.resources or {})[name] for name in names}
    with dg.build_resources(wanted) as built:
        yield Promotions(model, settings, built.tracking, built.ledger, built.deployment)


def _say(text: str, *, error: bool = False) -> None:
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
