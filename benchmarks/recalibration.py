"""Would another way to train mend the calibration of `flights` in the demonstration?

Each month from April on, every way trains on what is known then and predicts the month. Ways were
listed beforehand, with no parameter to choose, and all of them are shown. The flights are every
sixth one from the fourth on: none of them is in the demonstration, whose months these are.

    python -m benchmarks.recalibration              # writes results/recalibration.md
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.page import publish, sized
from demo.worlds import Flights
from mlops_assets.config import ModelSettings
from mlops_assets.defs.flights.loader import load
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.evaluation.metrics import metrics_of
from mlops_assets.ml.features.build import build_features, build_labels
from mlops_assets.ml.frames import TIMESTAMP, label_array, select_features
from mlops_assets.ml.inference.scoring import score
from mlops_assets.ml.training.fit import fit

MONTH = pd.DateOffset(months=1)
Predict = Callable[[pd.DataFrame, pd.DataFrame, pd.Timestamp], np.ndarray]


class Ways:
    """Each takes the labelled rows before a month and the month's rows, and returns P(late)."""

    def __init__(self, settings: ModelSettings) -> None:
        """Train by these settings."""
        self.settings = settings
        self._first: Any = None

    def all(self) -> dict[str, Predict]:
        """By name; the first two are those of the demonstration."""
        return {
            "the first version, never retrained": self.first,
            "as shipped: all but the newest month, which is held out": self.shipped,
            "all, the newest month too": lambda known, rows, now: self.scores(known, rows),
            "the newest three months only": self.recent,
            "as shipped, Platt's sigmoid on the newest training month": self.sigmoid,
            "as shipped, isotonic on the newest training month": self.isotonic,
            "as shipped, Platt's sigmoid on the held-out month": self.held_out,
            "as shipped, prior shift by EM (Saerens 2002) on the month's own inputs": self.prior,
        }

    def scores(self, train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
        """Of a model that is fitted now."""
        return self._score(fit(train, self.settings), rows)

    def first(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """Fitted when it is asked first."""
        self._first = self._first or fit(before(known, now - MONTH), self.settings)
        return self._score(self._first, rows)

    def shipped(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """What the training job does."""
        return self.scores(before(known, now - MONTH), rows)

    def recent(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """What the season brings."""
        return self.scores(known[known[TIMESTAMP] >= now - 3 * MONTH], rows)

    def sigmoid(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """Fitted without the month that it is calibrated on."""
        return self._mapped(before(known, now - MONTH), rows, now - 2 * MONTH, platt)

    def isotonic(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """The same with a map of any monotone shape."""
        return self._mapped(before(known, now - MONTH), rows, now - 2 * MONTH, monotone)

    def held_out(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """The newest labels that there are; the gate could not measure on them any more."""
        return self._mapped(known, rows, now - MONTH, platt)

    def prior(self, known: pd.DataFrame, rows: pd.DataFrame, now: pd.Timestamp) -> np.ndarray:
        """Knows the inputs of the whole month beforehand, which no service does."""
        train = before(known, now - MONTH)
        scores, old = self.scores(train, rows), self.labels(train).mean()
        new = old
        for _ in range(200):
            late, good = scores * new / old, (1 - scores) * (1 - new) / (1 - old)
            new = (late / (late + good)).mean()
        return late / (late + good)

    def labels(self, rows: pd.DataFrame) -> np.ndarray:
        """0 or 1."""
        return label_array(rows[self.settings.target.name], "binary")

    def _score(self, model: Any, rows: pd.DataFrame) -> np.ndarray:
        features = select_features(rows, self.settings.feature_dtypes)
        return score(model, features, "binary")[:, 0]

    def _mapped(
        self, known: pd.DataFrame, rows: pd.DataFrame, since: pd.Timestamp, learn: Any
    ) -> np.ndarray:
        model = fit(before(known, since), self.settings)
        newest = known[known[TIMESTAMP] >= since]
        return learn(self._score(model, newest), self.labels(newest))(self._score(model, rows))


def platt(scores: np.ndarray, actual: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A sigmoid of the log-odds (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=1e6).fit(log_odds(scores), actual)
    return lambda new: found.predict_proba(log_odds(new))[:, 1]


def monotone(scores: np.ndarray, actual: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Isotonic regression (Zadrozny and Elkan 2002)."""
    from sklearn.isotonic import IsotonicRegression

    found = IsotonicRegression(out_of_bounds="clip", y_min=1e-3, y_max=1 - 1e-3)
    return found.fit(scores, actual).predict


def log_odds(scores: np.ndarray) -> np.ndarray:
    """As a column."""
    return np.log(scores / (1 - scores))[:, None]


def before(rows: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """What had departed."""
    return rows[rows[TIMESTAMP] < moment]


def main() -> None:
    """Measure every way in every month, and write the page."""
    source = load().iloc[3 :: sized(6, 300)].reset_index(drop=True)
    with TemporaryDirectory() as folder:
        settings = Flights(Path(folder), 8102, source).settings(Flights.last)
    processed = process(source, settings.processing)
    features = build_features(processed, settings)
    labels = build_labels(processed, features, settings)
    rows = features.merge(labels.dropna(), on=[settings.key.name, TIMESTAMP])
    ways, found = Ways(settings), []
    for now in pd.date_range(Flights.first, Flights.last, freq="MS", inclusive="left"):
        month = before(rows[rows[TIMESTAMP] >= now], now + MONTH)
        actual = ways.labels(month)
        for name, predict in ways.all().items():
            scores = predict(before(rows, now), month, now)
            metrics = metrics_of(actual, scores[:, None], "binary")
            found.append({"way": name, "month": f"{now:%m}", "late": actual.mean(), **metrics})
    text = page(pd.DataFrame(found))
    publish("recalibration", text)


def page(found: pd.DataFrame) -> str:
    """Months beside each other, and the means over them."""
    found["off"] = (found["calibration_ratio"] - 1).abs()
    ratios = found.pivot_table("calibration_ratio", "way", "month")
    means = found.groupby("way")[["off", "log_loss", "roc_auc"]].mean()
    late = found.groupby("month")["late"].first()
    lines = [
        "# Recalibrating flights",
        "",
        *(__doc__ or "").split("\n\n    python")[0].splitlines(),
        "",
        "| promised / observed, by month of 2013 | " + " | ".join(ratios.columns)
        + " | mean distance from 1 | log loss | AUC |",
        "|---" * (len(ratios.columns) + 4) + "|",
        "| *late flights* | " + " | ".join(f"*{share:.0%}*" for share in late) + " | | | |",
        *(
            f"| {way} | {' | '.join(f'{ratio:.2f}' for ratio in ratios.loc[way])} | "
            f"{row['off']:.1%} | {row['log_loss']:.4f} | {row['roc_auc']:.4f} |"
            for way, row in means.sort_values("off").iterrows()
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
