"""The script that somebody writes without a framework: read, prepare, fit, score the same rows.

    python -m benchmarks.own_data.plain FILE KEYS TARGET TASK RESULT

KEYS is a Parquet file of the rows that both use: `position` of a row in the file, its `target`, and
whether it is held out. RESULT gets, as JSON, every metric of the held-out rows, for a linear model
and for boosted trees, and the standard error of each by the bootstrap.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.evaluation import METRICS
from mlops_assets.ml.evaluation.metrics import metrics_of

_DRAWS = 100
_MOST_CATEGORIES = 50


def _nested(file: Path) -> pd.DataFrame:
    frame = pd.read_parquet(file)
    flat = pd.json_normalize(frame["profile"].tolist()).add_prefix("profile_")
    return pd.concat([frame.drop(columns=["profile", "tags"]), flat], axis=1)


def _untidy(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, thousands="'", dtype={"client_id": str, "zip": str})


def _weeks(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file)
    return frame.assign(week=pd.to_datetime(frame["week"] + "-1", format="%G-W%V-%u"))


READ: dict[str, Callable[[Path], pd.DataFrame]] = {
    "kunden.csv": lambda file: pd.read_csv(file, sep=";", decimal=",", encoding="cp1252"),
    "adult.csv": lambda file: pd.read_csv(file, na_values="?"),
    "users.parquet": _nested,
    "untidy.csv": _untidy,
    "weeks.csv": _weeks,
    "sales.tsv": lambda file: pd.read_csv(file, sep="\t"),
    "daily": lambda folder: pd.concat(
        [pd.read_json(file, lines=True) for file in sorted(folder.glob("*.jsonl"))],
        ignore_index=True,
    ),
}
"""By the file's name, what is not read by pandas' defaults."""


def read(file: Path) -> pd.DataFrame:
    """The table as a person who has looked at it reads it."""
    default = pd.read_parquet if file.suffix == ".parquet" else pd.read_csv
    return READ.get(file.name, default)(file)


def prepared(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, moments as days, few texts one-hot; other texts are dropped.

    So are columns without a value, which scikit-learn's trees do not take. No infinity stays.
    """
    columns: dict[str, Any] = {}
    for name, column in frame.dropna(axis=1, how="all").items():
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            columns[str(name)] = column.astype("float64")
        elif (moments := _moments(column)) is not None:
            columns[str(name)] = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
        elif (numbers := pd.to_numeric(column, errors="coerce")).notna().mean() > 0.95:
            columns[str(name)] = numbers.astype("float64")
        elif column.nunique() <= _MOST_CATEGORIES:
            dummies = pd.get_dummies(column, prefix=str(name), dtype="float64")
            columns.update({str(one): dummies[one] for one in dummies})
    return pd.DataFrame(columns).replace([np.inf, -np.inf], np.nan)


def _moments(column: pd.Series) -> pd.Series | None:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True)
    first = column.dropna().astype(str).head(100)
    if not first.str.match(r"\d{4}-\d\d-\d\d|\d\d\.\d\d\.\d{4}").all():
        return None
    day_first = bool(first.str.match(r"\d\d\.").all())
    return pd.to_datetime(column, utc=True, dayfirst=day_first, format="mixed")


def models(task: str) -> dict[str, Any]:
    """The two that everybody tries first."""
    from sklearn import ensemble, impute, linear_model, pipeline, preprocessing

    before = (impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler())
    if task == "regression":
        linear, trees = linear_model.Ridge(), ensemble.HistGradientBoostingRegressor(random_state=0)
    else:
        linear = linear_model.LogisticRegression(max_iter=1000)
        trees = ensemble.HistGradientBoostingClassifier(random_state=0)
    return {"linear": pipeline.make_pipeline(*before, linear), "trees": trees}


def measured(model: Any, features: pd.DataFrame, target: pd.Series, task: Task) -> dict[str, Any]:
    """Metric -> value and standard error, of rows that the model has not seen."""
    if task == "regression":
        scores, classes = model.predict(features)[:, None], ()
    elif task == "binary":
        scores, classes = model.predict_proba(features)[:, 1:], ()
    else:
        scores, classes = model.predict_proba(features), tuple(model.classes_)
    actual, rng = target.to_numpy(), np.random.default_rng(0)
    found = metrics_of(actual, scores, task, classes)
    drawn = []
    for _ in range(_DRAWS):
        rows = rng.integers(0, len(actual), len(actual))
        if task == "regression" or len(np.unique(actual[rows])) == len(np.unique(actual)):
            drawn.append(metrics_of(actual[rows], scores[rows], task, classes))
    spread = pd.DataFrame(drawn).std()
    return {name: [value, float(spread[name])] for name, value in found.items()}


def main() -> None:
    """Fit both models and write what they reach."""
    file, keys, target, kind, result = sys.argv[1:]
    (task,) = (known for known in METRICS if known == kind)
    rows = pd.read_parquet(keys)
    features = prepared(read(Path(file)).drop(columns=[target])).iloc[rows["position"]]
    held_out = rows["held_out"].to_numpy()
    reached = {}
    for name, model in models(task).items():
        model.fit(features[~held_out], rows["target"][~held_out])
        reached[name] = measured(model, features[held_out], rows["target"][held_out], task)
    Path(result).write_text(json.dumps(reached), encoding="utf-8")


if __name__ == "__main__":
    main()
