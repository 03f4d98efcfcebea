"""Dagster's sqlite storage in a process that lives long: a leak and a cost, mended from outside.

A sensor that reads the instance opens it anew for each look, and opening compares the schema of
three databases with Dagster's migrations: Alembic 1.20 loads their 89 modules three times over, and
registers a callback for the interpreter's exit each time, which is never freed. For 20 models this
is a GB a day, and two thirds of the CPU of their sensors (`benchmarks/results/idle.md`).
"""

from functools import lru_cache

from alembic.script import ScriptDirectory

_FOLDERS = 8
"""Dagster asks for three, MLflow for one."""


def read_migrations_once() -> None:
    """Let Alembic keep what it read of a folder of migrations, which no running process changes."""
    read = ScriptDirectory.from_config
    if not hasattr(read, "cache_info"):
        ScriptDirectory.from_config = lru_cache(_FOLDERS)(read)  # ty: ignore[invalid-assignment]
