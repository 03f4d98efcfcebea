"""What the commands print when something is wrong, and that `dg` knows the component."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
TOOLS = Path(sys.executable).parent
VALIDATE = ("dagster", "definitions", "validate", "-m", "mlops_assets.definitions")
# With the folder: without one, dg 1.13 checks just one of several files of one component type.
CHECK_YAML = ("dg", "check", "yaml", "mlops_assets/defs/customers")
LIST = ("dagster", "asset", "list", "-m", "mlops_assets.definitions")


def run(
    *command: str, root: Path = ROOT, code: int = 0, **environment: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in a project's root, and expect its exit code."""
    done = subprocess.run(
        [str(TOOLS / command[0]), *command[1:]],
        cwd=root,
        env=os.environ
        | {name: str(value) for name, value in environment.items()}
        | {"PYTHONPATH": str(root), "VIRTUAL_ENV": str(TOOLS.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A copy of the project that a test may scaffold into."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("mlops_assets", "resources", "jobs", "sensors"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, root)
    return root


def test_dg_lists_the_component() -> None:
    assert "mlops_assets.components.ModelPipeline" in run("dg", "list", "components").stdout


def test_dg_reports_nothing_where_mlops_says_which_instance(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    printed = run("mlops", "env", HOME=home, MLOPS_HOME=tmp_path / "state", DAGSTER_HOME="").stdout
    named = dict(line.removeprefix("export ").split("=", 1) for line in printed.splitlines())
    done = run(*CHECK_YAML, HOME=home, **named)
    assert "collect usage statistics" not in done.stdout + done.stderr
    assert list(home.rglob("*")) == []


@pytest.mark.thorough  # as that of a table, below
def test_a_scaffolded_model_loads_as_it_stands(checkout: Path) -> None:
    scaffold = ("dg", "scaffold", "defs", "mlops_assets.components.ModelPipeline", "churn")
    run(*scaffold, root=checkout)
    assert "churn/deployed_endpoint" in run(*LIST, root=checkout).stdout
    run("dg", "check", "yaml", "mlops_assets/defs/churn", root=checkout)
    run(*VALIDATE, root=checkout)


def test_a_model_of_a_table_is_scaffolded_by_what_is_inferred(checkout: Path) -> None:
    table = checkout / "loans.csv"
    rows = [
        f"{i},2024-01-{i % 28 + 1:02d},{i * 37 % 101},{int(i * 37 % 101 > i % 90)}"
        for i in range(300)
    ]
    table.write_text("\n".join(["id,asked_at,amount,paid", *rows, ""]), encoding="utf-8")
    scaffold = ("dg", "scaffold", "defs", "mlops_assets.components.ModelPipeline", "loans")
    said = run(*scaffold, "--data", str(table), "--target", "piad", root=checkout, code=1)
    assert "did you mean 'paid'" in said.stdout + said.stderr
    assert "Traceback" not in said.stdout + said.stderr
    assert not (checkout / "mlops_assets" / "defs" / "loans").exists()
    run(*scaffold, "--data", str(table), "--target", "paid", root=checkout)
    assert "loans/deployed_endpoint" in run(*LIST, root=checkout).stdout
    run("dg", "check", "yaml", "mlops_assets/defs/loans", root=checkout)
    text = (checkout / "mlops_assets" / "defs" / "loans" / "defs.yaml").read_text(encoding="utf-8")
    assert "roc_auc" in text


BAD = {
    "value": ("ttl: 31d", "ttl: 31x", "31x"),
    "choice": ("task: binary", "task: binery", "binery"),
    "unknown key": ("max_leaf_nodes: 15}", "max_leaf_nodes: 15}\n    epochs: 3", "epochs"),
}
READERS = {
    " ".join(command): command
    for command in (
        *(CHECK_YAML, ("dg", "check", "defs"), VALIDATE),
        *(("mlops", "status"), ("mlops", "history", "customers"), LIST),
    )
}


# All read the file by the same few lines of ours: each of them in the gate, each fault too.
@pytest.mark.parametrize(
    ("reader", "fault"),
    [
        pytest.param(reader, fault, marks=() if fault == usual else pytest.mark.thorough)
        for reader, usual in zip(READERS, [*BAD] * 2, strict=True)
        for fault in BAD
    ],
)
def test_a_bad_value_is_refused_with_file_and_line(
    checkout: Path, tmp_path: Path, reader: str, fault: str
) -> None:
    command, (good, bad, said) = READERS[reader], BAD[fault]
    code = 0 if command == LIST else 1  # the other models go on
    file = checkout / "mlops_assets" / "defs" / "customers" / "defs.yaml"
    text = file.read_text(encoding="utf-8")
    assert good in text
    line = text[: text.index(good)].count("\n") + 1 + bad.count("\n")
    file.write_text(text.replace(good, bad), encoding="utf-8")
    try:
        done = run(*command, root=checkout, code=code, MLOPS_HOME=tmp_path)
    finally:
        file.write_text(text, encoding="utf-8")

    output = done.stdout + done.stderr
    assert f"customers/defs.yaml:{line}" in output
    assert said in output
    if command == LIST:
        assert "flights/deployed_endpoint" in done.stdout
        assert "customers/deployed_endpoint" not in done.stdout
    elif command[0] == "mlops":
        lines = [text for text in done.stderr.splitlines() if "defs.yaml" in text]
        assert len(lines) == len(done.stderr.splitlines()) == 1


def test_blocks_that_do_not_fit_together_are_refused(checkout: Path, tmp_path: Path) -> None:
    file = checkout / "mlops_assets" / "defs" / "customers" / "defs.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("timestamp: date", "timestamp: day"), encoding="utf-8")
    try:
        done = run("mlops", "status", root=checkout, code=1, MLOPS_HOME=tmp_path)
    finally:
        file.write_text(text, encoding="utf-8")
    assert "defs.yaml" in done.stderr
    assert "timestamp: ['day'] not among" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("mlops", "run", "custmers"), "no model ['custmers']; there are ['customers', 'flights']"),
        (("mlops", "predict", "customers", "1"), "no endpoint of 'customers' answers; run `mlops"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    done = run(*command, code=1, MLOPS_HOME=tmp_path, DAGSTER_HOME=tmp_path)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_home_that_cannot_be_written_is_one_line() -> None:
    done = run("mlops", "run", code=1, MLOPS_HOME="/proc/nowhere", DAGSTER_HOME="")
    assert "/proc/nowhere" in done.stderr
    assert "MLOPS_HOME" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unreachable_mlflow_server_is_named(tmp_path: Path) -> None:
    done = run(
        *("mlops", "run", "customers"),
        code=1,
        MLOPS_HOME=tmp_path,
        MLOPS_DATA_ROOT=tmp_path / "project",
        DAGSTER_HOME=tmp_path / "dagster",
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
    )
    assert "127.0.0.1:9" in done.stderr
    assert "MLFLOW_TRACKING_URI" in done.stderr
    assert "materialized" not in done.stdout, "said before any work"
    assert "Traceback" not in done.stderr


def test_env_prints_what_plain_dagster_needs(tmp_path: Path) -> None:
    done = run("mlops", "env", MLOPS_HOME=tmp_path, DAGSTER_HOME=tmp_path / "dagster")
    assert f"export MLOPS_HOME={tmp_path}" in done.stdout
    assert f"export DAGSTER_HOME={tmp_path}/dagster" in done.stdout
    assert "enabled: false" in (tmp_path / "dagster" / "dagster.yaml").read_text()
