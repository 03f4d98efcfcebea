"""Which engine the address in `MLOPS_ENGINE` means."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from mlops_assets.engines.duckdb import DUCKDB_NAME, DuckDBEngine
from mlops_assets.errors import ConfigError
from mlops_assets.ml.features.arrays import ARRAYS, ARRAYS_NAME
from mlops_assets.ml.features.engine import Engine

AUTO = "auto"
AUTO_EVENTS = 5_000_000
"""From so many events on `auto` is DuckDB. Arrays took 1 GB at 2 million events, with ten
aggregates as of fifteen moments."""
USUAL_LIMIT = "4GB"


def chosen_engine(url: str, events: int, spill: Path) -> Engine:
    """The engine of an address, for a log of so many events.

    Args:
        url: `arrays`, `duckdb://` with `memory_limit` and `threads` as parameters, or `auto`.
        events: Only `auto` asks.
        spill: Where DuckDB keeps what does not fit into its limit.

    Raises:
        ConfigError: The address means none.
    """
    address = urlsplit(url)
    if url == ARRAYS_NAME or (url == AUTO and events < AUTO_EVENTS):
        return ARRAYS
    if url == AUTO:
        return DuckDBEngine(spill, USUAL_LIMIT)
    limits = dict(parse_qsl(address.query, keep_blank_values=True))
    threads = limits.get("threads", "1")
    known = limits.keys() <= {"memory_limit", "threads"} and threads.isdecimal() and int(threads)
    if address.scheme != "duckdb" or address.netloc or address.path or not known:
        raise ConfigError(
            f"MLOPS_ENGINE={url!r} is no engine; set {ARRAYS_NAME}, {AUTO}, or "
            f"{DUCKDB_NAME}, e.g. with limits: {DUCKDB_NAME}?memory_limit=4GB&threads=2"
        )
    limit = limits.get("memory_limit", USUAL_LIMIT)
    return DuckDBEngine(spill, limit, int(threads) if "threads" in limits else None)
