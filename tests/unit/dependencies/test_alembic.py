"""What a look at the instance leaves behind in a process that lives for months."""

import atexit
import inspect
from pathlib import Path

import dagster as dg

from resources.dagster.dagster_storage import read_migrations_once


def callbacks() -> int:
    """Registered for the interpreter's exit."""
    return atexit._ncallbacks()  # type: ignore[attr-defined]


def test_opening_the_instance_again_leaves_nothing_behind(tmp_path: Path) -> None:
    read_migrations_once()
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    counts = []
    for _ in range(4):
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert instance.get_runs() == []
        counts.append(callbacks())
    assert counts[1:] == counts[:1] * 3


def test_calling_it_twice_does_not_stack() -> None:
    read_migrations_once()
    from alembic.script import ScriptDirectory

    once = ScriptDirectory.from_config
    read_migrations_once()
    assert ScriptDirectory.from_config is once


def test_alembic_still_needs_it() -> None:
    """When this fails, Alembic is mended: delete `resources/dagster/dagster_storage.py`."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    read_migrations_once()
    config = Config()
    config.set_main_option("script_location", "dagster:_core/storage/alembic")
    before = callbacks()
    inspect.unwrap(ScriptDirectory.from_config)(config)
    assert callbacks() == before + 1
