"""The prediction log as a frame: rows as monitoring reads them, made of `log_lines`.

One row per predicted row and role. Key columns `request_id`, `row`, `role`; times are
`datetime64[us, UTC]`; `score` is the probability of the positive class, the value, or (multiclass)
the highest probability; `predicted`, the class, is there for a multiclass model only, and null
where nobody knows its name any more; one column `feature_<name>` per feature, float64 or text, null
where the version did not have it. `entity` is Int64 or text: a float64 would round large ids.

Files are found and read by `resources.prediction_log.log`.
"""

from collections.abc import Mapping, Sequence

import msgspec
import pandas as pd

from mlops_assets.ml.inference.log_lines import LogLine

KEY = ["request_id", "row", "role"]
FEATURE = "feature_"
_TIMES = ("logged_at", "event_time", "features_as_of")
_DTYPES = {
    "request_id": "object",
    "row": "int64",
    **dict.fromkeys(_TIMES, "datetime64[us, UTC]"),
    "source": "object",
    "role": "object",
    "entity": None,
    "score": "float64",
    "model_version": "int64",
    "generation": "int64",
    "latency_seconds": "float64",
}
COLUMNS = tuple(_DTYPES)
"""What every log has; `predicted` and the features come after."""


def to_frame(lines: Sequence[LogLine], classes: Mapping[int, Sequence[str]]) -> pd.DataFrame:
    """Lines of one model as rows, in the order of event time.

    Those of a version without labels of their own get them by `classes`, in the order of scores.
    """
    plain = [msgspec.structs.asdict(line) for line in lines]
    frame = pd.DataFrame(plain, columns=pd.Index([n for n in COLUMNS if n != "score"]))
    # By itself pandas makes floats of integers beside None, and rounds those beyond 2**53.
    frame["entity"] = pd.Series([line.entity for line in lines], dtype="object")
    for name in _TIMES:
        # By whole microseconds: pandas 2 truncates fractional seconds.
        micros = (frame[name].astype("float64") * 1e6).round()
        frame[name] = pd.to_datetime(micros, unit="us", utc=True)
    frame["score"] = [max(line.scores) for line in lines]
    if any(len(line.scores) > 1 for line in lines):
        frame["predicted"] = [label_of(line, classes) for line in lines]
    features = pd.DataFrame([line.features for line in lines], dtype=object)
    return combine([frame.join(features.add_prefix(FEATURE))])


def combine(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of all frames, over the union of their columns, in order of event time.

    A feature that was a number in one version and text in another is text in all.
    """
    extra = dict.fromkeys(n for frame in frames for n in frame.columns if n not in _DTYPES)
    dtypes = {name: dtype or _dtype(name, frames) for name, dtype in _DTYPES.items()}
    features_last = sorted(extra, key=lambda name: name.startswith(FEATURE))
    dtypes |= {name: _dtype(name, frames) for name in features_last}
    same = [
        pd.DataFrame({n: _column(frame, n, dtype) for n, dtype in dtypes.items()})
        for frame in frames
        if len(frame)
    ]
    if not same:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in dtypes.items()})
    together = pd.concat(same, ignore_index=True)
    return together.sort_values("event_time", kind="stable", ignore_index=True)


def without_duplicates(rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of each key."""
    return rows.drop_duplicates(KEY, ignore_index=True)


def label_of(line: LogLine, classes: Mapping[int, Sequence[str]]) -> str | None:
    """The class that a line says, or `classes` of its version; None if neither does."""
    labels = classes.get(line.model_version, ())
    if line.predicted is not None or len(labels) != len(line.scores):
        return line.predicted
    return labels[line.scores.index(max(line.scores))]


def _dtype(name: str, frames: Sequence[pd.DataFrame]) -> str:
    pieces = [frame[name] for frame in frames if name in frame and frame[name].dtype == object]
    texts = any(isinstance(value, str) for piece in pieces for value in piece)
    if name == "predicted" or texts:
        return "object"
    return "Int64" if name == "entity" else "float64"


def _column(frame: pd.DataFrame, name: str, dtype: str) -> pd.Series:
    if name not in frame:
        return pd.Series(None, index=frame.index, dtype=dtype)
    column = frame[name]
    if dtype == "object":
        return column.astype(object).map(str, na_action="ignore").where(column.notna(), None)
    return column.astype(dtype)
