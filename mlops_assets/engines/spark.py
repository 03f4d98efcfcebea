"""Spark: aggregates on a cluster, as its driver or by Spark Connect.

It runs the SQL that Ibis makes of `EventRelation`. Events go to the cluster as Arrow, from the step
that has them, so that workers need no folder in common with it.
"""

import re
import signal
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from mlops_assets.blocks.base import one_line
from mlops_assets.config import ModelSettings
from mlops_assets.engines.event_table import event_tables
from mlops_assets.engines.relation import TABLE, EventRelation
from mlops_assets.engines.relation_log import RelationLog
from mlops_assets.errors import EngineError, EngineUnavailableError
from mlops_assets.ml.features.engine import Wanted
from mlops_assets.ml.stored_rows import AnyRows

if TYPE_CHECKING:
    import ibis.expr.types as ir

PART = 250_000
"""Events in a partition."""
_USUAL = {
    "spark.app.name": "mlops-assets",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(PART),
}
_LOST = ("ExecutorLostFailure", "Could not recover from a failed barrier")
"""Of tasks that must all run at once, as those of XGBoost, Spark repeats none: one fails all."""
_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@dataclass(frozen=True)
class SparkEngine:
    """As `Engine` says; what a lost worker had is computed by another, which is Spark's work."""

    address: str
    """`spark://HOST:PORT`, `local[2]`, or `sc://HOST:PORT`, which may hold a token."""
    conf: Mapping[str, str] = field(default_factory=dict)
    """More of Spark's settings; a server of Spark Connect has its own."""

    @property
    def name(self) -> str:
        """The address, without what may be secret."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else self.address

    @property
    def is_here(self) -> bool:
        """Whether its workers are on this machine, and so have this Python."""
        return self._hosts <= {"", "localhost", "127.0.0.1"}

    @contextmanager
    def opened(
        self, events: AnyRows, settings: ModelSettings, wanted: Wanted
    ) -> Generator[RelationLog]:
        """See `Engine`; also an `EngineError`, if Spark is missing, away, or cannot do it."""
        table = pa.concat_tables(event_tables(events, settings, wanted))
        with self._reported(), self._session() as session:
            frame = self._sent(session, table).cache()  # each moment reads it
            try:
                frame.createOrReplaceTempView(TABLE)
                run = partial(_run, session)
                yield RelationLog(run, EventRelation(table.schema, wanted), settings.key.name)
            finally:
                frame.unpersist()  # a server of Spark Connect would keep it

    @contextmanager
    def session(self, **conf: str) -> Generator[Any]:
        """A session of its own, with more of Spark's settings; errors as of `opened`."""
        engine = replace(self, conf={**self.conf, **conf})
        with self._reported(), engine._session() as session:
            yield session

    def _sent(self, session: Any, table: pa.Table) -> Any:
        """The table as Spark's, in parts that a task can hold; those of a driver Spark makes."""
        if not self.address.startswith("sc:"):
            return session.createDataFrame(table)
        session.conf.set("spark.sql.session.localRelationCacheThreshold", "1")  # none in a message
        parts = [table.slice(start, PART) for start in range(0, len(table), PART)]
        return reduce(lambda a, b: a.union(b), map(session.createDataFrame, parts))

    @contextmanager
    def _session(self) -> Generator[Any]:
        self.require_answer()
        builder = import_module("pyspark.sql").SparkSession.builder
        if self.address.startswith("sc:"):
            session = builder.remote(self.address).create()
        else:
            here = _LOOPBACK if self.is_here else {}
            conf = {"spark.master": self.address, **_USUAL, **here, **self.conf}
            with _interrupts_as_before():
                session = builder.config(map=conf).getOrCreate()
        try:
            yield session
        finally:
            session.stop()

    @property
    def _hosts(self) -> set[str]:
        return {place.rpartition(":")[0] for place in urlsplit(self.address).netloc.split(",")}

    def require_answer(self) -> None:
        """Raise `EngineUnavailableError` if neither the master answers nor one that stands by.

        Spark itself asks a minute, and says a page of Java.
        """
        refusals = []
        for place in filter(None, urlsplit(self.address).netloc.split(",")):
            host, _, port = place.rpartition(":")
            try:
                socket.create_connection((host, int(port)), timeout=10).close()
            except OSError as err:
                refusals.append(err)
            else:
                return
        if refusals:
            raise EngineUnavailableError(
                f"no Spark answers at {self.name} ({refusals[0]}); start it, or correct "
                "MLOPS_ENGINE"
            ) from refusals[0]

    @contextmanager
    def _reported(self) -> Generator[None]:
        try:
            errors, py4j = import_module("pyspark.errors"), import_module("py4j.protocol")
        except ImportError as err:
            raise EngineError(
                f"MLOPS_ENGINE={self.name} needs PySpark, which is not installed; "
                "pip install 'mlops-assets[spark]'"
            ) from err
        try:
            yield
        except (errors.PySparkException, py4j.Py4JError) as err:
            if any(lost in str(err) for lost in _LOST):
                raise EngineUnavailableError(
                    f"Spark at {self.name} lost a worker: {_said(err)}; look after its machine"
                ) from err
            raise EngineError(
                f"Spark at {self.name} failed: {_said(err)}; see its log, and give it Java 17 and "
                "memory for the events (spark.driver.memory)"
            ) from err


@contextmanager
def _interrupts_as_before() -> Generator[None]:
    """PySpark leaves a handler of Ctrl-C, which fails once its session is over."""
    before = signal.getsignal(signal.SIGINT)
    yield
    if before is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, before)


def _said(err: Exception) -> str:
    """In one line: what Spark Connect puts among details, and Py4J below its own first line."""
    if details := re.search(r'details = "([^"\n]+)', str(err)):
        return details[1]
    return " ".join(str(err).splitlines()[:2]) if "Py4J" in type(err).__name__ else one_line(err)


def _run(session: Any, expression: "ir.Table") -> pa.Table:
    import ibis

    _ = ibis.pyspark  # which registers the options that the dialect reads
    return session.sql(str(ibis.to_sql(expression, dialect="pyspark"))).toArrow()
