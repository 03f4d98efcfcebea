"""The code location loads, stays light, is the one in this repository, and refuses bad YAML."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
import yaml

import jobs
import resources
import sensors
from mlops_assets.components.templates import TemplatedSettings
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import defs
from mlops_assets.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {
    *(
        "alembic",
        "bentoml",
        "dagster_k8s",
        "dagster_mlflow",
        "duckdb",
        "dvc",
        "evidently",
        "feast",
        "ibis",
        "kubernetes",
    ),
    *("matplotlib", "mlflow", "numpy", "optuna", "pandas", "pyarrow", "scipy", "sklearn", "skops"),
    "sqlalchemy",
}


@pytest.mark.parametrize("package", [resources, sensors, jobs])
def test_generic_package_names_are_not_shadowed(package: ModuleType) -> None:
    assert Path(str(package.__file__)).is_relative_to(ROOT)


def test_definitions_hold_both_models() -> None:
    definitions = defs()
    dg.Definitions.validate_loadable(definitions)

    assert {spec.group_name for spec in definitions.resolve_all_asset_specs()} == {
        "customers",
        "flights",
        "Backtests",
        "Status",
    }
    repository = definitions.get_repository_def()
    assert {j for j in repository.job_names if not j.startswith("__")} == {"status"} | {
        f"{model}_{what}"
        for model in ("customers", "flights")
        for what in (
            *("training", "deployment", "scoring", "monitoring", "backtest"),
            *("rollback", "promotion", "restoration"),
        )
    }
    assert {s.name for s in repository.sensor_defs} == {
        *("customers_retraining", "flights_retraining", "mlflow_runs"),
        *("run_failed", "run_recovered"),
        *("customers_endpoint_health", "flights_endpoint_health"),
    }
    assert {s.name for s in repository.schedule_defs} == {
        *("customers_training_schedule", "flights_training_schedule"),
        *("customers_monitoring_schedule", "flights_monitoring_schedule"),
        "status_schedule",
    }


def test_an_unknown_executor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_EXECUTOR", "in-process")
    with pytest.raises(ConfigError, match=r"MLOPS_EXECUTOR='in-process' is none of.*'in_process'"):
        defs()


def loaded(statement: str) -> set[str]:
    """Names of all modules that one statement leaves in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import sys; {statement}; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_loading_brings_no_heavy_library_and_few_modules() -> None:
    """Counted, not timed: 250 modules beside the 875 of Dagster, 0.6 CPU seconds against its 0.35.

    Two thirds of them are our own. Without pandas, NumPy and Arrow, which would be 415 more and
    half of the cost, since what an asset does is imported when it runs.
    """
    load = "from mlops_assets.definitions import defs; defs().get_repository_def()"
    ours = loaded(load) - loaded("import dagster")
    libraries = {name.partition(".")[0] for name in ours} - set(sys.stdlib_module_names)

    assert libraries & HEAVY == set()
    assert libraries == {
        *("mlops_assets", "resources", "jobs", "sensors"),
        *("jinja2", "markupsafe", "msgspec", "wrapt"),
        *("dagster", "pydantic"),  # a few more of their modules
    }
    assert len(ours) <= 250


@pytest.mark.parametrize("file", sorted((ROOT / "mlops_assets/defs").glob("*/defs.yaml")))
def test_every_yaml_survives_a_round_trip(file: Path) -> None:
    attributes = yaml.safe_load(file.read_text(encoding="utf-8"))["attributes"]
    settings = TemplatedSettings.model_validate(attributes)
    plain = ModelSettings.model_validate(settings.model_dump(mode="json"))
    assert plain.model_dump() == settings.model_dump()


def test_the_training_schedule_runs_on_sundays_at_midnight_utc() -> None:
    schedule = defs().resolve_schedule_def("customers_training_schedule")
    assert schedule.cron_schedule == "0 0 * * 0"
    assert schedule.execution_timezone == "UTC"


def test_the_yaml_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from docs.yaml_reference import page; print(page(), end='')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    written = (ROOT / "docs" / "reference" / "yaml.md").read_text(encoding="utf-8")
    assert done.stdout == written, "run `python docs/yaml_reference.py`"
