"""Dagster's sqlite storage in a process that lives long: a leak and a cost, mended from outside.

A sensor that reads the instance opens it anew for each look, and opening compares the schema of
three databases with Dagster's migrations: Alembic 1.20 loads their 89 modules three times over, and
registers a callback for the interpreter's exit each time, which is never freed. For 20 models this
is a GB a day, and two thirds of the CPU of their sensors (`benchmarks/results/idle.md`).
"""

from functools import cache, lru_cache
from typing import Any

from wrapt import register_post_import_hook

_FOLDERS = 8
"""Dagster asks for three, MLflow for one."""


@cache
def read_migrations_once() -> None:
    """Let Alembic keep what it read of a folder of migrations, which no running process changes.

    It is told when it is imported, which most processes that load the definitions never do: with
    SQLAlchemy it costs as much as a third of `import dagster`.
    """
    register_post_import_hook(_keep_what_was_read, "alembic.script")


def _keep_what_was_read(script: Any) -> None:
    script.ScriptDirectory.from_config = lru_cache(_FOLDERS)(script.ScriptDirectory.from_config)
