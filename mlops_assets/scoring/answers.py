"""Scores -> the tables that are written: answers, their lines of the log, and what was refused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.inference.onnx_runtime import Columns
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.records.serving import Manifest, Servable
from mlops_assets.scoring.asked import Asked
from mlops_assets.scoring.requests import Answers

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

UTC_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Spoken:
    """How the answers of one batch are told."""

    servable: Servable
    manifest: Manifest
    batch: str
    """Its id, which is the `request_id` of its rows in the log."""
    kind: str
    time: datetime
    """When it was asked for."""

    @property
    def event_time(self) -> datetime:
        """The moment that the log tells windows by, as the endpoint's lines do."""
        return self.manifest.online.as_of or self.time

    def table(self, answers: Answers) -> pa.Table:
        """A row for each that was answered, in order, with all that the endpoint answers of it."""
        asked, rows, columns = answers.asked, len(answers.asked), dict[str, Any]()
        if self.kind == "table" or asked.entities is None:
            columns["row"] = pa.array(asked.places)
        if asked.entities is not None:
            columns[self.servable.key.name] = _plain(asked.entities)
        columns["features_as_of"] = _times(asked.moments)
        columns |= self._predictions(answers.scores)
        if self.servable.categories:
            columns["unseen_categories"] = _unseen(asked.features, self.servable)
        columns[free("model_version", columns)] = pa.repeat(self.servable.model_version, rows)
        columns[free("scored_at", columns)] = pa.repeat(pa.scalar(self.time, UTC_TIME), rows)
        return pa.table(columns)

    def log(self, answers: Answers) -> pa.Table:
        """The same as rows of the prediction log."""
        asked, rows = answers.asked, len(answers.asked)
        entities = pa.nulls(rows, pa.int64()) if asked.entities is None else _plain(asked.entities)
        columns = {
            "request_id": _constant(self.batch, rows),
            "row": pa.array(asked.places),
            "logged_at": pa.repeat(pa.scalar(self.time, UTC_TIME), rows),
            "event_time": pa.repeat(pa.scalar(self.event_time, UTC_TIME), rows),
            "features_as_of": _times(asked.moments),
            "source": _constant(self.kind, rows),
            "role": _constant("batch", rows),
            "entity": entities,
            "score": pa.array(answers.scores.max(axis=1)),
            "model_version": pa.repeat(self.servable.model_version, rows),
            "generation": pa.repeat(self.manifest.generation, rows),
            "latency_seconds": pa.nulls(rows, pa.float64()),
        }
        if self.servable.classes:
            columns["predicted"] = self._predictions(answers.scores)["prediction"]
        features = {f"{FEATURE}{n}": _plain(column) for n, column in asked.features.items()}
        return pa.table(columns | features)

    def refused(self, rows: Asked, reasons: list[str]) -> pd.DataFrame:
        """Rows of the quarantine: what was asked for, as strings, its place and the reason."""
        bad = pd.DataFrame({name: _spelled(column) for name, column in rows.features.items()})
        if rows.entities is not None:
            bad[self.servable.key.name] = list(map(str, rows.entities))
        bad[TIMESTAMP] = _spelled(rows.moments)
        said = "so the model refuses these features"
        return bad.assign(
            row=rows.places, reason=[f"features.refused: {reason!r}, {said}" for reason in reasons]
        )

    def _predictions(self, scores: np.ndarray) -> dict[str, pa.Array]:
        names = self.servable.classes
        if not names:
            return {"prediction": pa.array(scores[:, 0])}
        likeliest = pa.DictionaryArray.from_arrays(
            pa.array(scores.argmax(axis=1).astype(np.int32)), pa.array(names)
        )
        shares = [pa.array(scores[:, place]) for place in range(len(names))]
        probabilities = pa.StructArray.from_arrays(shares, names=list(names))
        return {"prediction": likeliest.cast(pa.string()), "probabilities": probabilities}


def free(name: str, taken: dict[str, Any]) -> str:
    """A name of ours beside the entity's, which may be the same."""
    return f"{name}_" if name in taken else name


def _plain(column: np.ndarray) -> pa.Array:
    """NaN stays a number, and is null among texts."""
    return pa.array(column, from_pandas=column.dtype == object)


def _constant(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), [text])


def _times(moments: np.ndarray) -> pa.Array:
    return pa.array(moments).cast(UTC_TIME)


def _spelled(column: np.ndarray) -> list[str | None]:
    return [None if value != value else str(value) for value in column.tolist()]


def _unseen(features: Columns, servable: Servable) -> pa.Array:
    """Of each row the features whose category the training never saw; null where there is none."""
    new = np.column_stack(
        [
            (features[name] == features[name]) & ~pd.Series(features[name]).isin(known).to_numpy()
            for name, known in servable.categories.items()
        ]
    )
    names, kind = np.array(list(servable.categories), dtype=object), pa.list_(pa.string())
    if not new.any():
        return pa.nulls(len(new), kind)
    return pa.array([names[row].tolist() if row.any() else None for row in new], kind)
