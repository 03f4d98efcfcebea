"""The champion on a real MLflow store: two processes at once, kills, and the command line."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.records.promotion import Promotion
from resources.champion.aliases import reconcile
from resources.champion.by_hand import Promotions
from resources.deployment import EndpointTargets
from tests.e2e.cli.test_cli import ROOT, run
from tests.support.served.live_endpoints import free_port, publish
from tests.support.services.promoters import MODEL, POINTS, deploy_and_move, move_to, stores
from tests.worlds.effort import few_in_the_gate

pytestmark = pytest.mark.e2e

ROUNDS = int(os.environ.get("PROMOTION_ROUNDS", "10"))
KILLS = int(os.environ.get("PROMOTION_KILLS", "1"))
RECORDED = {
    "before append": 2,
    "before champion": 3,
    "after champion": 3,
    "before previous": 3,
    "after previous": 3,
}
"""Where a move is killed, to the version that the ledger names then."""
PROMOTERS = [sys.executable, "-W", "ignore", "-m", "tests.support.services.promoters"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with five versions, registered without their files; tests copy it."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("registry")
    tracking, _ = stores(folder)
    assert tracking.registry.version_by_alias(MODEL, "champion") is None
    client = MlflowClient(tracking.tracking_uri)
    experiment = client.create_experiment(MODEL, (folder / "artifacts").as_uri())
    client.create_registered_model(MODEL)
    for number in range(1, 6):
        made = client.create_run(experiment, tags={"dvc/md5": f"md5-{number}"})
        client.create_model_version(MODEL, "file:///nowhere", run_id=made.info.run_id)
    return folder


@pytest.fixture
def state(registry: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(registry, tmp_path / "state"))


def aliases(state: Path) -> dict[str, int | None]:
    tracking, _ = stores(state)
    found = {
        name: tracking.registry.version_by_alias(MODEL, name) for name in ("champion", "previous")
    }
    return {name: version.version if version else None for name, version in found.items()}


def ask(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_two_processes_one_wins_each_time(state: Path) -> None:
    versions = {"ada": (1, 2), "bob": (3, 4)}
    winners = []
    with ExitStack() as stack:
        both = {
            who: stack.enter_context(
                subprocess.Popen(
                    [*PROMOTERS, str(state), "race", who, *map(str, numbers)],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for who, numbers in versions.items()
        }
        assert [answer(process) for process in both.values()] == ["ready"] * 2
        for _ in range(ROUNDS):
            for said in ("look", "go"):
                for process in both.values():
                    ask(process, said)
                answers = {who: answer(process) for who, process in both.items()}
            assert sorted(answers.values()) == ["lost", "won"]
            winners += [who for who, outcome in answers.items() if outcome == "won"]
            head = stores(state)[1].head(MODEL)
            assert head is not None
            assert head.who == winners[-1]
            assert aliases(state) == {"champion": head.to_version, "previous": head.from_version}

    history = stores(state)[1].history(MODEL)
    assert [p.who for p in history] == winners
    assert_linear(history)


def assert_linear(history: list[Promotion]) -> None:
    assert [p.sequence for p in history] == list(range(1, len(history) + 1))
    assert [p.from_version for p in history] == [None, *(p.to_version for p in history)][:-1]
    assert [p.time for p in history] == sorted(p.time for p in history)


# The test below kills at each of these too, beside an endpoint.
@pytest.mark.parametrize("point", few_in_the_gate(RECORDED, "before append", "after champion"))
@pytest.mark.parametrize("repair", ["reconcile", "promote"])
def test_a_kill_between_any_two_steps_is_repaired(state: Path, point: str, repair: str) -> None:
    tracking, ledger = stores(state)
    for version in (1, 2):
        assert move_to(version, ledger.head(MODEL), (tracking, ledger))
    killed = subprocess.run([*PROMOTERS, str(state), "die", "3", point], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    head = ledger.head(MODEL)
    assert head is not None
    assert head.to_version == RECORDED[point]

    if repair == "reconcile":
        reconcile(MODEL, tracking=tracking, ledger=ledger)
    else:
        assert move_to(5, head, (tracking, ledger))

    head = ledger.head(MODEL)
    assert head is not None
    assert aliases(state) == {"champion": head.to_version, "previous": head.from_version}
    assert_linear(ledger.history(MODEL))


@pytest.fixture
def endpoint(state: Path) -> Generator[Promotions]:
    """Version 1, then version 2 were promoted and deployed; version 2 serves."""
    online, settings = publish(state), DeploymentSettings(port=free_port())
    (state / "online.json").write_text(online.model_dump_json())
    (state / "settings.json").write_text(settings.model_dump_json())
    for version in (1, 2):
        deploy_and_move(version, state, online, settings)
    deployer = EndpointTargets(root=str(state / "endpoints"))
    yield Promotions(MODEL, settings, *stores(state), deployer)
    deployer.stop(MODEL)


def test_a_kill_between_any_two_steps_leaves_one_champion_that_serves(
    state: Path, endpoint: Promotions
) -> None:
    deployer, ledger = endpoint.deployment, endpoint.ledger
    with subprocess.Popen(
        [*PROMOTERS, str(state), "deploy"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert answer(process) == "ready"
        for point in POINTS * KILLS:
            old = ledger.head(MODEL)
            assert old is not None
            new = 5 - old.to_version  # 2 and 3 in turn
            ask(process, f"{new} {point}")
            assert answer(process) == str(-signal.SIGKILL), point
            live = deployer.status(MODEL)
            assert live is not None, "the old or the new version goes on serving"

            endpoint.restore()

            head, live = ledger.head(MODEL), deployer.status(MODEL)
            assert head is not None
            assert live is not None
            recorded = POINTS.index(point) > POINTS.index("before append")
            assert head.to_version == (new if recorded else old.to_version), point
            assert live.model_version == head.to_version, point
            assert aliases(state) == {"champion": head.to_version, "previous": head.from_version}
            assert endpoint.restore() is None, "nothing is left to repair"
    assert_linear(ledger.history(MODEL))


def test_an_alias_edited_in_mlflow_is_found(state: Path) -> None:
    tracking, ledger = stores(state)
    for version in (1, 2):
        move_to(version, ledger.head(MODEL), (tracking, ledger))
    edited = tracking.registry.version(MODEL, 4)
    assert edited is not None
    tracking.registry.set_alias(edited, "champion")
    assert reconcile(MODEL, tracking=tracking, ledger=ledger) == {"champion": (4, 2)}
    assert aliases(state) == {"champion": 2, "previous": 1}
    assert tracking.registry.version(MODEL, 99) is None


@pytest.fixture
def project(tmp_path: Path, loans: dict, loans_csv: Path) -> Generator[tuple[Path, dict]]:
    """A copy of the project with one small model, and its environment."""
    root = tmp_path / "checkout"
    for name in ("mlops_assets", "resources", "jobs", "sensors"):
        ignored = shutil.ignore_patterns("__pycache__", "customers", "flights")
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, root)
    yaml_file = root / "mlops_assets" / "defs" / "loans" / "defs.yaml"
    yaml_file.parent.mkdir()
    attributes = loans | {"deployment": {"port": free_port()}}
    component = {"type": "mlops_assets.components.ModelPipeline", "attributes": attributes}
    yaml_file.write_text(yaml.safe_dump(component), encoding="utf-8")
    state = {"MLOPS_HOME": tmp_path / "home", "MLOPS_DATA_ROOT": tmp_path / "data"}
    environment = state | {"DAGSTER_HOME": tmp_path / "home" / "dagster"}
    yield root, environment
    run("mlops", "stop", root=root, **environment)


@pytest.mark.thorough  # the tutorial and a state that was moved roll back too
@pytest.mark.timeout(600)
def test_a_rollback_really_serves_the_older_version(
    project: tuple[Path, dict], loans_csv: Path
) -> None:
    root, environment = project

    def mlops(*arguments: str, code: int = 0) -> str:
        done = run("mlops", *arguments, root=root, code=code, **environment)
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    assert "version=1" in mlops("run", "loans")
    with loans_csv.open("a", encoding="utf-8") as file:
        file.write("400,2025-02-04,3.5,a,0\n")
    assert "version=2" in mlops("run", "loans")
    asked = mlops("predict", "loans", "7")

    assert "version 1 at http://127.0.0.1:" in mlops("rollback", "loans", "--why", "too slow")

    after = mlops("predict", "loans", "7")
    assert "version=1" in after
    assert after.split(",")[0] != asked.split(",")[0], "another model answers"
    mlops("stop", "loans")
    assert "version 1 serves, as the ledger says" in mlops("run", "loans"), "and it is up again"
    assert mlops("predict", "loans", "7") == after
    assert "version 2 at" in mlops("promote", "loans", "2", "--why", "bigger machine")
    assert mlops("predict", "loans", "7") == asked
    assert "no version 9 of loans" in mlops("rollback", "loans", "--to", "9", code=1)

    table = mlops("history", "loans")
    moves = [line.split("  ")[1].strip() for line in table.splitlines()[1:]]
    assert moves == ["- -> 1", "1 -> 2", "2 -> 1", "1 -> 2"]
    assert "rollback: too slow" in table
    assert "manual: bigger machine" in table
    assert "version 2 at 2999" in mlops("history", "loans", "--at", "2999-01-01")
