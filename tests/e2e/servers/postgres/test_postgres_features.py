"""Postgres as the engine of a run: it gives what arrays give, and leaves nothing there."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.cli.facts.doctor import engines
from mlops_assets.engines.choice import chosen_engine
from mlops_assets.engines.postgres import PostgresEngine
from mlops_assets.errors import ConfigError, EngineError, EngineUnavailableError
from mlops_assets.ml.features.build import aggregate
from tests.support.servers import ROOT, free_port, wait_for
from tests.support.services.postgres_server import PASSWORD, PostgresServer
from tests.support.tables.engines import (
    AGGREGATES,
    ENTITIES,
    EVENTS,
    NAMES,
    TARGETS,
    Rows,
    compare_chosen,
    compare_features,
    compare_labels,
    many_events,
)
from tests.support.tables.own_project import Project
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def engine(postgres: PostgresServer) -> PostgresEngine:
    """Of a user who has no right of his own there, in a database of other letters and order."""
    postgres.execute(
        "CREATE DATABASE shop TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    postgres.execute("CREATE USER visitor PASSWORD 'gu:est'")
    postgres.execute("ALTER ROLE visitor SET search_path TO public, pg_temp")
    postgres.execute("ALTER ROLE visitor SET default_transaction_read_only TO on")
    postgres.execute("ALTER ROLE visitor SET extra_float_digits TO -5")
    postgres.execute("CREATE TABLE events (entity int)", postgres.address("shop"))
    return PostgresEngine(f"postgres://visitor:gu%3Aest@127.0.0.1:{postgres.port}/shop")


@worlds(8, shrink=False)
@given(rows=EVENTS, names=NAMES, entity=st.sampled_from(ENTITIES))
def test_features_are_those_of_arrays(
    engine: PostgresEngine, rows: Rows, names: list[str], entity: str
) -> None:
    compare_chosen(rows, names, entity, engine)


@worlds(8, shrink=False)
@given(rows=EVENTS, target=st.sampled_from(TARGETS))
def test_labels_are_those_of_arrays(
    engine: PostgresEngine, rows: Rows, target: dict[str, Any]
) -> None:
    compare_labels(rows, target, engine)


def test_every_aggregate_of_many_events_is_that_of_arrays(engine: PostgresEngine) -> None:
    compare_features(many_events(), AGGREGATES, "int64", engine, scale=0)


def refused(address: str, error: type[EngineError | ConfigError]) -> str:
    """What is said of an address, with nothing of its password."""
    with pytest.raises(error) as caught:
        aggregate(many_events(), event_log(), chosen_engine(address, 1, Path("nowhere")))
    said = str(caught.value)
    assert PASSWORD not in said
    assert not {"wrong", "gu:est"} & set(said.replace("@", " ").split())
    return said


def test_what_postgres_refuses_is_one_sentence(
    postgres: PostgresServer, engine: PostgresEngine
) -> None:
    there = f"127.0.0.1:{postgres.port}"
    said = refused(f"postgresql://visitor:wrong@{there}/shop", EngineError)
    assert said.startswith(f"Postgres at postgresql://{there}/shop refuses: ")
    assert 'authentication failed for user "visitor"' in said
    postgres.execute("REVOKE TEMPORARY ON DATABASE shop FROM PUBLIC")
    said = refused(engine.address, EngineError)
    postgres.execute("GRANT TEMPORARY ON DATABASE shop TO PUBLIC")
    assert said.endswith("; GRANT TEMPORARY ON DATABASE ... TO its user")
    nowhere = f"127.0.0.1:{free_port()}"
    said = refused(f"postgresql://visitor:wrong@{nowhere}/shop", EngineUnavailableError)
    assert said.startswith(f"no Postgres answers at postgresql://{nowhere}/shop (")
    said = refused("postgresql://visitor:wrong@/shop?sslmod=x", ConfigError)
    assert said.startswith("MLOPS_ENGINE is no address of a Postgres; write postgresql://")
    said = refused("postgresql+asyncpg://visitor:wrong@db/shop", ConfigError)
    assert said.startswith("MLOPS_ENGINE='postgresql+asyncpg://visitor:***@db/shop' is no engine")


def test_the_doctor_says_whether_it_can_be_asked(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLOPS_ENGINE", engine.address)
    (found,) = engines(tmp_path)
    assert (found.good, found.said) == (True, f"{engine.name} can be asked")
    monkeypatch.setenv("MLOPS_ENGINE", engine.address.replace("gu%3Aest", "wrong"))
    (found,) = engines(tmp_path)
    assert not found.good
    assert found.said.startswith(f"Postgres at {engine.name} refuses: ")
    assert found.remedy.startswith("correct MLOPS_ENGINE")


def test_sums_beyond_all_floats_are_one_sentence(engine: PostgresEngine) -> None:
    events = many_events().assign(amount=1e308)
    config = event_log({"all": {"agg": "sum", "column": "amount"}})
    with pytest.raises(EngineError, match=r"out of range: overflow; reject such amounts by the"):
        aggregate(events, config, engine)


SLOW = """
import sys, ibis
from mlops_assets.engines.postgres import PostgresEngine
from mlops_assets.engines.readings.dialects import called
from tests.support.tables.engines import many_events
from tests.support.toy_models import event_log

config, engine = event_log(), PostgresEngine(sys.stdin.read())
with engine.opened(many_events(), config, config.features.aggregates) as log:
    sleeping = called("pg_sleep", ibis.literal(120.0), returns="string")
    log.run(log.relation.span().mutate(slept=sleeping))
"""
SESSIONS = "SELECT state FROM pg_stat_activity WHERE application_name = 'mlops-assets'"
LEFT = "SELECT relname FROM pg_class WHERE relpersistence = 't'"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.thorough)]
)
def test_a_step_that_is_ended_in_the_middle_leaves_neither_a_query_nor_a_table(
    postgres: PostgresServer, engine: PostgresEngine, number: signal.Signals
) -> None:
    program = [sys.executable, "-c", SLOW]
    with subprocess.Popen(program, stdin=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(engine.address)
        process.stdin.close()
        sleeps = f"{SESSIONS} AND state = 'active' AND query ILIKE 'COPY%pg_sleep%'"
        wait_for("the query", lambda: postgres.execute(sleeps) or process.poll(), 60)
        process.send_signal(number)
        assert process.wait(20) == -number
    wait_for("the end of the session", lambda: not postgres.execute(SESSIONS), 20)
    assert postgres.execute(LEFT, postgres.address("shop")) == []


STAGES = ",".join(f"customers/{one}" for one in ("features", "trained_model", "evaluation_report"))
MATERIALIZE = ("dagster", "asset", "materialize", "-m", "mlops_assets.definitions", "--select")


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_a_run_by_postgres_is_that_of_arrays_and_is_reproduced_there(
    postgres: PostgresServer, engine: PostgresEngine, tmp_path: Path
) -> None:
    project = Project(tmp_path / "home", free_port())
    try:
        said = project.run("mlops_assets", "run", "customers", engine=engine.address)
    finally:
        project.run("mlops_assets", "stop")
    features, evaluation = project.features(), project.evaluation()
    said += project.run("mlops_assets", "reproduce", "customers@1", engine=engine.address)
    assert "customers@1: equal" in said
    assert f"compared within 1e-09, since features were by {engine.name}" in said
    files = [path for path in project.home.rglob("*") if path.is_file()]
    for content in [said.encode(), *(path.read_bytes() for path in files)]:
        assert not any(word in content for word in (b"gu:est", b"gu%3Aest"))
    assert postgres.execute(LEFT, postgres.address("shop")) == []
    project.run(*MATERIALIZE, STAGES)
    pd.testing.assert_frame_equal(features, project.features(), rtol=1e-12, atol=0)
    assert project.evaluation().decision == evaluation.decision
