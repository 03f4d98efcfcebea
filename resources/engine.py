"""Which engine aggregates event logs; what engines do is `mlops_assets.engines`."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError
from mlops_assets.redaction import without_secrets
from mlops_assets.runtime.atomic import folder_aside

if TYPE_CHECKING:
    from mlops_assets.ml.features.engine import Engine
    from mlops_assets.ml.training.many_rows.growing import Grow


class FeatureEngine(dg.ConfigurableResource):
    """What computes features and labels of event logs: arrays, DuckDB, Spark or a Postgres."""

    url: str = Field(
        "arrays",
        description="`arrays`, `auto`, `duckdb://?memory_limit=4GB`, `spark://HOST:PORT` or "
        "`postgresql://USER:PASSWORD@HOST/NAME`.",
    )
    spill: str = Field(description="Folder of what does not fit into DuckDB's memory limit.")
    kept: str = Field(
        "", description="Folder of features by snapshot, of models with partitions; empty: none."
    )

    def of(self, settings: ModelSettings, rows: int) -> "Engine":
        """The engine for so many rows of a model; for a flat table that of arrays, always.

        Raises:
            ConfigError: The address means none.
        """
        from mlops_assets.engines.choice import chosen_engine
        from mlops_assets.engines.kept import Kept
        from mlops_assets.ml.features.arrays import ARRAYS

        engine = chosen_engine(self.url, rows, Path(self.spill))
        if settings.features.shape == "flat_table":
            return ARRAYS
        if settings.partitions is None or not self.kept:
            return engine
        return Kept(engine, Path(self.kept, settings.name, "snapshots"))

    def growing(self, settings: ModelSettings) -> "Grow":
        """What grows the trees of rows that stay in their file: XGBoost here, or on a Spark.

        Raises:
            ConfigError: The address means no engine, or no Spark where one is wanted.
        """
        from mlops_assets.engines.choice import chosen_engine
        from mlops_assets.engines.spark import SparkEngine
        from mlops_assets.engines.spark_trees import SparkTrees
        from mlops_assets.ml.training.many_rows.growing import grown_here

        workers = settings.training.spark_workers
        if workers is None:
            return grown_here
        engine = chosen_engine(self.url, 0, Path(self.spill))
        if not isinstance(engine, SparkEngine):
            named = without_secrets(self.url)
            raise ConfigError(
                f"training.spark_workers needs a Spark, and MLOPS_ENGINE={named} is none; set "
                "spark://HOST:PORT, or remove training.spark_workers"
            )
        return SparkTrees(engine, workers).grow

    @contextmanager
    def checking(self, settings: ModelSettings, files: Sequence[Path]) -> Generator[Path | None]:
        """A folder for the rows of these files, if they are to be checked batch by batch.

        They are where another engine than arrays will aggregate them, or where they are a table
        that stays in its file. None: they fit into memory.

        Raises:
            ConfigError: The address means no engine.
            SourceError: A file cannot be read.
        """
        from mlops_assets.ml.data.batches import about_rows
        from mlops_assets.ml.data.delivered import as_delivered
        from mlops_assets.ml.features.arrays import ARRAYS

        by_batch = settings.training.external_memory
        if settings.features.shape == "event_log":
            by_batch = self.of(settings, about_rows(files, as_delivered(settings))) is not ARRAYS
        elif settings.timestamp is None and settings.entity is not None:
            by_batch = False  # which of an entity's rows is the newest is known at the end
        if settings.partitions is not None or not by_batch:
            yield None
            return
        with folder_aside(Path(self.spill)) as folder:
            yield folder

    @contextmanager
    def beside(self, settings: ModelSettings) -> Generator[Path | None]:
        """A folder for features, if they are not to be in memory; None: they are."""
        if not settings.training.external_memory:
            yield None
            return
        with folder_aside(Path(self.spill)) as folder:
            yield folder
