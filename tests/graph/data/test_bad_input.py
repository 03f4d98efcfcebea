"""Bad input to the whole graph: a typed error with value and remedy, and nothing half-written.

`tests/unit/data/reading/test_reading.py` and `test_contract.py` have every damaged file; here is
one of each kind, and what only a run can meet.
"""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from tests.support.runs.pipeline_runs import STAGES, checks, failure, materialize, materialized

Change = Callable[[str], str]


def values(root: str) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(Path(root).rglob("*.*"))}


def line(number: int, text: str) -> Change:
    def change(content: str) -> str:
        lines = content.splitlines()
        lines[number] = text
        return "\n".join(lines) + "\n"

    return change


@pytest.mark.parametrize(
    ("change", "stops_at", "said"),
    [
        (lambda text: "", "raw_data", ("SourceError", "empty")),
        (lambda text: text.splitlines()[0] + "\n", "raw_data", ("SourceError", "header")),
        (lambda text: text.replace(",", ";"), "raw_data", ("SourceError", "delimiter")),
        (lambda text: text[:-4], "raw_data", ("SourceError", "final_newline")),
        (line(3, "2,2024-01-03,4"), "raw_data", ("SourceError", "4")),
        (line(3, "2,2024\0-01-03,4,a,1"), "raw_data", ("SourceError", "NUL")),
        (line(0, "id,time,amount,amount,label"), "raw_data", ("SourceError", "amount")),
        (line(0, "id,time,amont,grade,label"), "raw_data", ("SourceError", "amont", "amount")),
        (lambda text: text.replace("2024-", "24/"), "processed_data", ("contract", "time.dtype")),
        (lambda text: text.replace("2024-", "2124-"), "processed_data", ("contract", "future")),
        (
            lambda text: re.sub(r",([0-9]+)[.]([0-9]+),", r',"\1,\2",', text),
            "processed_data",
            ("amount.dtype", 'source.decimal: ","'),
        ),
        (lambda text: text.replace(",a,", ",a,x"), "processed_data", ("contract", "label.dtype")),
        (
            line(3, "2,2024-01-03T00:00:00+05:00,4,a,1"),
            "processed_data",
            ("ContractError", "+05:00", "offsets"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_source_leaves_the_previous_values(
    settings: ModelSettings,
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    change: Change,
    stops_at: str,
    said: tuple[str, ...],
) -> None:
    materialize(settings, resources, instance, STAGES[:3])
    before = values(resources["io_manager"].root)
    loans_csv.write_text(change(loans_csv.read_text()))

    result = materialize(settings, resources, instance, STAGES[:3])

    assert materialized(result) == STAGES[: STAGES.index(stops_at)]
    for word in said:
        assert word in failure(result)
    after = values(resources["io_manager"].root)
    changed = {Path(file).stem for file in before if before[file] != after[file]}
    assert changed <= set(STAGES[: STAGES.index(stops_at)])


def test_a_truncated_archive_is_refused(
    loans: dict[str, Any], loans_csv: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    packed = loans_csv.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(loans_csv.read_bytes())[:-20])
    loans["source"]["uri"] = str(packed)

    result = materialize(ModelSettings.model_validate(loans), resources, instance, ["raw_data"])

    assert "SourceError" in failure(result)
    assert "loans.csv.gz" in failure(result)


@pytest.mark.parametrize(
    ("block", "value", "said"),
    [
        ("source", {"uri": "nowhere/loans.csv"}, ("SourceError", "nowhere/loans.csv")),
        ("source", {"uri": "package://nowhere/x.csv"}, ("SourceError", "nowhere", "pip install")),
        ("source", {"loader": "mlops_assets.nowhere.load"}, ("DottedPathError", "nowhere")),
        ("estimator", "sklearn.linear_model.Logistic", ("DottedPathError", "Logistic")),
        ("estimator", "nowhere.Forest", ("DottedPathError", "nowhere", "installed")),
        ("params", {"c": 1}, ("ParameterError", "'c'", "C")),
    ],
)
def test_what_the_yaml_names_must_exist(
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    block: str,
    value: Any,
    said: tuple[str, ...],
) -> None:
    if block == "source":
        loans["source"] = value
    else:
        loans["training"][block] = value

    result = materialize(ModelSettings.model_validate(loans), resources, instance)

    for word in said:
        assert word in failure(result)
    assert "trained_model" not in materialized(result)


@pytest.mark.parametrize(
    ("label", "said"),
    [(None, ("FeatureError", "1 of 400", "unlabelled")), (1, ("TrainingError", "classes [1]"))],
)
def test_a_target_that_cannot_be_learned_is_refused(
    loans: dict[str, Any],
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    label: int | None,
    said: tuple[str, ...],
) -> None:
    frame = pd.read_csv(loans_csv).astype({"label": "Int64"})
    frame.loc[frame.index[: 1 if label is None else None], "label"] = label
    frame.to_csv(loans_csv, index=False)
    loans["contract"]["columns"]["label"]["nullable"] = True

    result = materialize(ModelSettings.model_validate(loans), resources, instance)

    assert "trained_model" not in materialized(result)
    for word in said:
        assert word in failure(result)


def test_a_port_in_use_is_named(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        loans["deployment"]["port"] = port
        result = materialize(ModelSettings.model_validate(loans), resources, instance)

    assert checks(result)["model_passes_the_gate"]
    assert materialized(result) == STAGES[:-1]
    assert f"PortInUseError: {port}" in failure(result) or str(port) in failure(result)
    assert "deployment.port" in failure(result)
