"""Which engine the address in `MLOPS_ENGINE` means."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from mlops_assets.engines.duckdb import DUCKDB_NAME, DuckDBEngine
from mlops_assets.engines.postgres import PostgresEngine, is_postgres
from mlops_assets.engines.spark import SparkEngine
from mlops_assets.errors import ConfigError
from mlops_assets.ml.features.arrays import ARRAYS, ARRAYS_NAME
from mlops_assets.ml.features.engine import Engine
from mlops_assets.redaction import without_secrets

AUTO = "auto"
AUTO_EVENTS = 5_000_000
"""From so many events on `auto` is DuckDB. Arrays took 1 GB at 2 million events, with ten
aggregates as of fifteen moments."""
USUAL_LIMIT = "4GB"
_PLACE = r"[\w.-]+:\d+"
_SPARK = re.compile(rf"spark://{_PLACE}(,{_PLACE})*|local(\[(\d+|\*)\])?")
_CONNECT = re.compile(rf"sc://{_PLACE}(/\S*)?")
_LIMIT = re.compile(r"\d+(\.\d+)? ?([KMGT]i?)?B", re.IGNORECASE)


def chosen_engine(url: str, events: int, spill: Path) -> Engine:
    """The engine of an address, for a log of so many events.

    Args:
        url: `arrays`; `duckdb://` with `memory_limit` and `threads` as parameters; a master of
            Spark, `spark://HOST:PORT` or `local[2]`, with its settings as parameters, or Spark
            Connect, `sc://HOST:PORT`; a Postgres, `postgresql://USER:PASSWORD@HOST/NAME`; or
            `auto`.
        events: Only `auto` asks.
        spill: Where DuckDB keeps what does not fit into its limit.

    Raises:
        ConfigError: The address means none.
    """
    if url == ARRAYS_NAME or (url == AUTO and events < AUTO_EVENTS):
        return ARRAYS
    if url == AUTO:
        return DuckDBEngine(spill, USUAL_LIMIT)
    if is_postgres(url):
        return PostgresEngine(url)
    engine = SparkEngine(url) if _CONNECT.fullmatch(url) else _with_parameters(url, spill)
    if engine is None:
        raise ConfigError(
            f"MLOPS_ENGINE={without_secrets(url)!r} is no engine; set {ARRAYS_NAME}, {AUTO}, "
            f"{DUCKDB_NAME}, spark://HOST:PORT, local[2], sc://HOST:PORT or "
            "postgresql://USER:PASSWORD@HOST/NAME, e.g. with limits: "
            f"{DUCKDB_NAME}?memory_limit=4GB&threads=2, local[2]?spark.driver.memory=4g"
        )
    return engine


def asked_anew(made_by: str, today: str) -> bool:
    """Whether the engine of that name is asked by the address of today, which holds its secrets."""
    return any(of(made_by) and of(today) for of in (is_spark, is_postgres))


def is_spark(url: str) -> bool:
    """Whether the address, or the name of an engine, is Spark's."""
    return bool(_CONNECT.fullmatch(url) or _SPARK.fullmatch(url.partition("?")[0]))


def _with_parameters(url: str, spill: Path) -> Engine | None:
    address, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs):  # which of two holds, nobody can tell
        return None
    if address == DUCKDB_NAME:
        return _duckdb(given, spill)
    known = _SPARK.fullmatch(address) and all(name.startswith("spark.") for name in given)
    return SparkEngine(address, given) if known else None


def _duckdb(limits: Mapping[str, str], spill: Path) -> DuckDBEngine | None:
    threads = limits.get("threads", "1")
    if not limits.keys() <= {"memory_limit", "threads"}:
        return None
    if not threads.isdecimal() or not int(threads):
        return None
    limit = limits.get("memory_limit", USUAL_LIMIT)
    if not _LIMIT.fullmatch(limit):
        return None
    return DuckDBEngine(spill, limit, int(threads) if "threads" in limits else None)
