"""A stranger's table with the YAML of a model over it, and what is true of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.worlds.files import FORMATS, NAMINGS, PACKERS, named, write
from tests.worlds.values.ids import KINDS, dtype, ids
from tests.worlds.values.moments import ZONES, Clock, clocks
from tests.worlds.values.names import names

# One empty feature of three refuses the whole table, so few are.
NUMBERS = (
    *("normal", "normal", "normal", "gaps", "gaps", "constant", "empty"),
    *("huge", "tiny", "halves", "halves", "whole", "one_value"),
)
TEXTS = ("few", "few", "few", "reserved", "reserved", "constant", "empty", "rare")
_RESERVED_TEXTS = ("nan", "None", "null", "true", "0", "1", "1.0", " ", "a_b", "Ü")
PLAIN_NAMES = ["id", "time", "outcome", "number_0", "text_0", "number_1"]
TASKS = ("binary", "regression", "multiclass")
CLASSES = {"words": ["yes", "no", "maybe"], "trouble": ["nan", "None", "1.0"], "numbers": [2, 0, 7]}


@dataclass(frozen=True)
class World:
    """A table as it should be read; `None` and NaN where it has no value."""

    frame: pd.DataFrame
    clock: Clock
    entity: str
    """What its column of ids would be called."""
    timestamp: str
    target: str
    features: tuple[str, ...]
    yaml: dict[str, Any]
    """All of a `defs.yaml` but the source."""
    zone: str
    """Of the processes that work on it."""
    form: str
    packing: str
    naming: str
    """How it is sent, as `tests.worlds.files` has it."""
    lacks: tuple[str, ...] = ()
    """Keys of the YAML, `entity` and `timestamp`, for which there is no column."""

    @property
    def keys(self) -> list[str]:
        """The columns that say whose a row is, and when."""
        return [name for name in (self.entity, self.timestamp) if name in self.frame]

    @property
    def plain(self) -> bool:
        """Whether its names mean nothing to anybody."""
        return self.entity == PLAIN_NAMES[0]

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the table as its owner would send it; returns the YAML with its source."""
        folder.mkdir(parents=True, exist_ok=True)
        names = {name: named(name, self.naming, self.form) for name in self.frame}
        rows = self.frame.itertuples(index=False)
        written = [[self._written(value) for value in row] for row in rows]
        source = write(folder, list(names.values()), written, self.form, self.packing)
        columns = self.yaml["contract"]["columns"].items()
        contract = {name: {**column, "from": names[name]} for name, column in columns}
        return {**self.yaml, "source": source, "contract": {"columns": contract}}

    def _written(self, value: object) -> object:
        if isinstance(value, pd.Timestamp):
            return self.clock.text(value)
        return None if value is None or value != value else value


LACKING: tuple[tuple[str, ...], ...] = (
    *((), (), (), ()),
    *(("entity",), ("timestamp",), ("entity", "timestamp")),
)


@st.composite
def tables(draw: st.DrawFn, *, rows: int = 80, keyed: bool = False) -> World:
    """Any flat table of at most so many rows; if not `keyed`, some lack ids, times or both."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from((rows, rows, rows, rows, rows, rows, 7, 1)))
    entity, timestamp, target, *features = draw(st.just(PLAIN_NAMES) | names(6))
    kind, clock = draw(st.sampled_from(KINDS)), draw(clocks)
    moments = list(clock.moments(size))
    people = draw(st.sampled_from(("one_row_each", "few", "many", "alone")))
    if people == "one_row_each":
        who = ids(kind, size, rng)
    else:
        pool = ids(kind, {"few": 5, "alone": 1}.get(people, size), rng)
        who = [pool[k] for k in rng.integers(0, len(pool), size)]
    signal = rng.normal(size=size)
    task = draw(st.sampled_from(TASKS))
    kinds = (
        draw(st.sampled_from(NUMBERS)),
        draw(st.sampled_from(TEXTS)),
        draw(st.sampled_from(NUMBERS)),
    )
    columns: dict[str, Any] = {
        entity: pd.Series(who, dtype=object),
        timestamp: pd.Series(moments, dtype="datetime64[ns, UTC]"),
        features[0]: _numbers(kinds[0], signal, rng),
        features[1]: _texts(kinds[1], rng, size),
        features[2]: _numbers(kinds[2], rng.normal(size=size), rng),
        target: _target(task, signal, draw(st.sampled_from(sorted(CLASSES))), rng),
    }
    frame = pd.DataFrame(columns)
    order = draw(st.sampled_from(("as it happened", "newest first", "shuffled")))
    if order != "as it happened":
        frame = (
            frame.iloc[::-1] if order == "newest first" else frame.sample(frac=1, random_state=1)
        )
    keys = [entity, timestamp]
    frame = frame.drop_duplicates(keys).reset_index(drop=True)
    at_random = {"by": "random", "fraction": 0.3}
    by_time = {"by": "time", "test": "1 day"} if clock.step in ("1h", "23h", "31D") else at_random
    split = draw(st.sampled_from((by_time, at_random)))
    yaml = {
        "name": "stranger",
        "entity": {"name": entity, "dtype": dtype(kind)},
        "timestamp": timestamp,
        "contract": {
            "columns": {
                entity: {"dtype": dtype(kind)},
                timestamp: {"dtype": "datetime", "future": "allow", "offsets": "any"},
                features[0]: {"dtype": "float64", "nullable": True},
                features[1]: {"dtype": "string", "nullable": True},
                features[2]: {"dtype": "float64", "nullable": True},
                target: {"dtype": _dtype(frame[target]), "nullable": True},
            }
        },
        "processing": {
            "categorical_encoding": {
                features[1]: draw(st.sampled_from(("one_hot", "ordinal", "target")))
            }
        },
        "features": {
            "columns": list(features),
            "ttl": draw(st.sampled_from(("1s", "1d", "400d", "36500d"))),
            "clock": draw(st.sampled_from(("data", "data", "data", "wall"))),
        },
        "target": {"name": "learned", "task": task, "column": target},
        "training": {
            "estimator": draw(st.sampled_from(_ESTIMATORS[task])),
            "impute": draw(st.sampled_from(("median", "zero", "median", "none"))),
            "scale": draw(st.booleans()),
            "split": split,
        },
        "evaluation": {"primary": _PRIMARY[task]},
        "deployment": {"port": 18200},
    }
    world = World(
        frame=frame,
        clock=clock,
        entity=entity,
        timestamp=timestamp,
        target=target,
        features=tuple(features),
        yaml=yaml,
        form=draw(st.sampled_from(FORMATS)),
        packing=draw(st.sampled_from(sorted(PACKERS))),
        naming=draw(st.sampled_from(NAMINGS)),
        zone=draw(st.sampled_from(ZONES)),
    )
    lacks = () if keyed else draw(st.sampled_from(LACKING))
    return lacking(world, lacks, keep_split=draw(st.booleans())) if lacks else world


def lacking(world: World, keys: tuple[str, ...], *, keep_split: bool) -> World:
    """The same without the columns of these keys of the YAML."""
    yaml = {name: value for name, value in world.yaml.items() if name not in keys}
    gone = [{"entity": world.entity, "timestamp": world.timestamp}[key] for key in keys]
    columns = yaml["contract"]["columns"]
    yaml["contract"] = {"columns": {n: c for n, c in columns.items() if n not in gone}}
    if "entity" in keys:
        yaml["features"] = {n: v for n, v in yaml["features"].items() if n != "ttl"}
    elif yaml["features"]["ttl"] == "1s":  # a delivery of now is too old for it before it is served
        yaml["features"] = yaml["features"] | {"ttl": "1d"}
    if "timestamp" in keys and not (keep_split and yaml["training"]["split"]["by"] == "random"):
        yaml["training"] = {n: v for n, v in yaml["training"].items() if n != "split"}
    return replace(world, frame=world.frame.drop(columns=gone), yaml=yaml, lacks=keys)


_LINEAR = "sklearn.linear_model."
_ESTIMATORS = {
    "binary": (f"{_LINEAR}LogisticRegression", "sklearn.ensemble.HistGradientBoostingClassifier"),
    "multiclass": (f"{_LINEAR}LogisticRegression", "sklearn.tree.DecisionTreeClassifier"),
    "regression": (f"{_LINEAR}Ridge", "sklearn.ensemble.HistGradientBoostingRegressor"),
}
_PRIMARY = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}


def _numbers(kind: str, signal: np.ndarray, rng: np.random.Generator) -> pd.Series:
    gaps = np.where(rng.uniform(size=len(signal)) < 0.3, np.nan, signal)
    values = {
        "normal": signal,
        "gaps": gaps,
        "constant": np.full(len(signal), -0.0),
        "empty": np.full(len(signal), np.nan),
        "huge": signal * 1e300,
        "tiny": signal * 1e-300,
        "halves": np.round(signal * 2) / 2,
        "whole": np.round(signal * 1e15),
        "one_value": np.where(np.arange(len(signal)) == 0, signal, np.nan),
    }
    return pd.Series(values[kind], dtype="float64")


def _texts(kind: str, rng: np.random.Generator, size: int) -> pd.Series:
    if kind == "empty":
        return pd.Series([None] * size, dtype=object)
    pool = {"few": ["a", "b", "c"], "constant": ["a"], "reserved": list(_RESERVED_TEXTS)}.get(
        kind, [f"text {number}" for number in range(size)]
    )
    return pd.Series([pool[k] for k in rng.integers(0, len(pool), size)], dtype=object)


def _target(task: str, signal: np.ndarray, words: str, rng: np.random.Generator) -> pd.Series:
    noisy = signal + rng.normal(scale=0.3, size=len(signal))
    if task == "regression":
        return pd.Series(noisy, dtype="float64")
    if task == "binary":
        return pd.Series((noisy > 0).astype(int), dtype=object)
    classes = CLASSES[words]
    return pd.Series([classes[k] for k in np.digitize(noisy, (-0.4, 0.4))], dtype=object)


def _dtype(column: pd.Series) -> str:
    if column.dtype == "float64":
        return "float64"
    return "string" if isinstance(column.iloc[0], str) else "int64"
