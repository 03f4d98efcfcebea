"""Scores of rows, asked for in requests as an endpoint gets them; what is refused, apart."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mlops_assets.scoring.asked import Asked
from mlops_assets.serving.version.model import LoadedModel

_NOT_FINITE = "its answer is not finite"


class Answers(NamedTuple):
    """What the model says of some rows."""

    asked: Asked
    """The rows that it answers."""
    scores: np.ndarray
    """As `LoadedModel.scores`."""
    refused: Asked
    reasons: list[str]
    """Of each refused row."""


@dataclass
class Requests:
    """Asks one model; knows which kinds of gap it refuses once it did."""

    model: LoadedModel
    size: int
    """Rows in a request, at most."""
    _refused_gaps: dict[bytes, str] = field(default_factory=dict)

    def answers(self, asked: Asked) -> Answers:
        """Ask for all rows."""
        reasons = np.full(len(asked), "", dtype=object)
        parts = [
            self._scores(asked.at(rows), reasons[rows]) for rows in _requests(len(asked), self.size)
        ]
        scores = np.concatenate([np.empty((0, self._width)), *parts])
        refused = reasons != ""
        if not refused.any():
            return Answers(asked, scores, asked.at(slice(0, 0)), [])
        good = ~refused
        return Answers(asked.at(good), scores[good], asked.at(refused), reasons[refused].tolist())

    @property
    def _width(self) -> int:
        """Scores of a row."""
        return max(1, len(self.model.servable.classes))

    def _scores(self, asked: Asked, reasons: np.ndarray) -> np.ndarray:
        """The scores of one request; writes into `reasons` why a row is refused."""
        try:
            scores = self.model.score_columns(asked.features)
        except ValueError:  # scikit-learn refuses the whole request for the sake of a row
            return self._without_refused(asked, reasons)
        finite = np.isfinite(scores).all(axis=1)
        if not finite.all():
            reasons[~finite] = _NOT_FINITE
        return scores

    def _without_refused(self, asked: Asked, reasons: np.ndarray) -> np.ndarray:
        gaps = np.column_stack([column != column for column in asked.features.values()])
        gapped = gaps.any(axis=1)
        for row in np.flatnonzero(gapped):
            reasons[row] = self._refusal_of_gap(asked.at(slice(row, row + 1)), gaps[row].tobytes())
        try:
            return self._scores_of_good(asked, reasons)
        except ValueError:
            for row in np.flatnonzero(~gapped):
                reasons[row] = self._refusal(asked.at(slice(row, row + 1)))
            return self._scores_of_good(asked, reasons)

    def _scores_of_good(self, asked: Asked, reasons: np.ndarray) -> np.ndarray:
        good = reasons == ""
        scores = np.full((len(asked), self._width), np.nan)
        if good.any():
            scores[good] = self.model.score_columns(asked.at(good).features)
        return scores

    def _refusal_of_gap(self, row: Asked, gap: bytes) -> str:
        """As `_refusal`; where NaN is what is refused, every row with the same gap is."""
        if gap in self._refused_gaps:
            return self._refused_gaps[gap]
        refused = self._refusal(row)
        if "NaN" in refused:
            self._refused_gaps[gap] = refused
        return refused

    def _refusal(self, row: Asked) -> str:
        """Why the model refuses a row that is asked for alone; empty if it does not."""
        try:
            scores = self.model.score_columns(row.features)
        except ValueError as err:
            return str(err).partition("\n")[0][:300]
        return "" if np.isfinite(scores).all() else _NOT_FINITE


def _requests(rows: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, rows, size))
