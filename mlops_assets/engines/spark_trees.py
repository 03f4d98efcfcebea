"""Trees of XGBoost grown on Spark, by `xgboost.spark`: rows go there, a booster comes back.

Each task has the same rows every time, one run of them in their order, so that a repetition grows
the same trees. One task grows those of memory, to the last byte. Several merge what each knows of a
feature's distribution, and so cut features of many values elsewhere: other trees, with other
predictions, that are as good; and where `subsample` draws rows, each task draws of its own.
"""

import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_assets.engines.spark import SparkEngine
from mlops_assets.errors import EngineError
from mlops_assets.ml.training.many_rows.growing import Growth

_TARGET, _WEIGHT = "target", "weight"
_NOT_GIVEN = {"n_jobs", "enable_categorical", "objective", "callbacks", "early_stopping_rounds"}
"""Of a classifier's parameters; of a regressor the objective is."""
_BARRIER = "spark.scheduler.barrier.maxConcurrentTasksCheck"


@dataclass(frozen=True)
class SparkTrees:
    """Grows trees by `workers` tasks of a Spark, which needs as many free cores at once."""

    engine: SparkEngine
    workers: int

    def grow(self, growth: Growth) -> bytearray:
        """See `Grow`; what XGBoost reads is in memory here, 4 bytes a value, and again in Spark.

        Raises:
            EngineError: Spark is missing or away, has too few cores, or its Python lacks XGBoost.
        """
        if self.engine.address.startswith("sc:"):
            raise EngineError(
                f"XGBoost is not trained by Spark Connect ({self.engine.name}); name a master in "
                "MLOPS_ENGINE, spark://HOST:PORT, or remove training.spark_workers"
            )
        if self.engine.is_here:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        table = pa.concat_tables(_tables(growth))
        conf = {
            "spark.default.parallelism": str(self.workers),  # and so the rows of a task
            f"{_BARRIER}.interval": "5s",
            f"{_BARRIER}.maxFailures": "6",  # else it waits ten minutes for cores
        }
        with self.engine.session(**conf) as session:
            trained = self._estimator(growth, table).fit(session.createDataFrame(table))
            booster = trained.get_booster()
        known = growth.model.get_booster()
        booster.feature_names, booster.feature_types = known.feature_names, known.feature_types
        return booster.save_raw()

    def _estimator(self, growth: Growth, table: pa.Table) -> Any:
        spark = import_module("xgboost.spark")
        logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)
        kind = type(growth.model).__name__
        left_out = _NOT_GIVEN - ({"objective"} if kind == "XGBRegressor" else set())
        given = {
            name: value
            for name, value in growth.model.get_params().items()
            if value is not None and name not in left_out
        }
        columns = [name for name in table.column_names if name not in (_TARGET, _WEIGHT)]
        weight = {"weight_col": _WEIGHT} if _WEIGHT in table.column_names else {}
        return getattr(spark, f"Spark{kind}")(
            features_col=columns,
            label_col=_TARGET,
            num_workers=self.workers,
            verbose=False,
            **weight,
            **given,
        )


def _tables(growth: Growth) -> Iterator[pa.Table]:
    for batch in growth.read():
        values = np.asarray(batch.features, dtype=np.float32)  # as XGBoost keeps them
        columns = {f"c{place}": pa.array(column) for place, column in enumerate(values.T)}
        columns[_TARGET] = pa.array(np.asarray(batch.target, dtype=np.float32))
        if batch.weights is not None:
            columns[_WEIGHT] = pa.array(np.asarray(batch.weights, dtype=np.float32))
        yield pa.table(columns)
