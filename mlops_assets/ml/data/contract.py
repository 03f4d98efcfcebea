"""The data contract: rows that keep every rule, typed, and the others with the reasons why not.

Nothing is repaired, and no value is changed. What a bad row means for the run is decided by the
caller, with `ml.data.verdict`; how a value gets its type is `ml.data.casting`.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.columns import ColumnContract
from mlops_assets.blocks.data import ContractSettings
from mlops_assets.errors import ContractError
from mlops_assets.ml.data.casting import Cast, Mask, cast
from mlops_assets.ml.data.marks import PLAIN, Marks
from mlops_assets.ml.data.parts import joined
from mlops_assets.ml.data.reading import check_columns
from mlops_assets.ml.data.reasons import REPEATS, reason_of, said_of


class Checked(NamedTuple):
    """Every row of the input, in exactly one of two frames, each in the input's order."""

    rows: pd.DataFrame
    """Good rows with the contract's columns, typed as `ml.data.casting` says; index from 0. Where
    all are good, a column that had its type already is the input's own memory."""
    bad: pd.DataFrame
    """Bad rows as they came, spelled as strings (None for no value), then `row`, the 0-based
    position in the input, and `reason`: `COLUMN.RULE: VALUE what`, joined by `; `."""


class SeenKeys:
    """The keys of rows that come in batches; 16 bytes a row.

    A key is known by 128 bits of it: of 1e9 rows two would be confused once in 1e20 times.
    """

    def __init__(self) -> None:
        self._runs: list[list[np.ndarray]] = [[] for _ in range(_SHARDS)]
        """By the first bits of a key, so that little is copied at once. Each run is sorted, and at
        least twice as long as the next: a key is in one of a few."""

    def again(self, keys: pd.DataFrame) -> Mask:
        """Which rows have the key of a row before, here or in another batch; notes the others."""
        found = keys.duplicated().to_numpy()
        asked = np.stack([_digest(keys, salt) for salt in (0, 0x9E3779B97F4A7C15)])
        order = np.argsort(asked[0])  # what is looked up in order is near in memory
        asked, known = asked[:, order], found[order]
        ends = np.searchsorted(asked[0], _ENDS, side="right").tolist()
        for runs, start, end in zip(self._runs, [0, *ends], ends, strict=False):
            if start < end:
                part = asked[:, start:end]
                known[start:end] |= _in_any(runs, part)
                _add(runs, part[:, ~known[start:end]])
        found[order] = known
        return found


_SHARDS = 64
_ENDS = (np.arange(1, _SHARDS + 1, dtype=np.uint64) << np.uint64(58)) - np.uint64(1)
"""The last digest of each shard; 2**64 is 0, and 0 - 1 the last of all."""


def _in_any(runs: list[np.ndarray], asked: np.ndarray) -> Mask:
    known = np.zeros(asked.shape[1], dtype=bool)
    for run in runs:
        places = np.searchsorted(run[0], asked[0])
        places[places == run.shape[1]] = 0
        known |= (run[:, places] == asked).all(axis=0)
    return known


def _add(runs: list[np.ndarray], run: np.ndarray) -> None:
    while runs and 2 * run.shape[1] >= runs[-1].shape[1]:
        run = np.concatenate([runs.pop(), run], axis=1)
        run = run[:, np.argsort(run[0], kind="stable")]
    if run.size:
        runs.append(run)


def enforce(
    frame: pd.DataFrame,
    contract: ContractSettings,
    now: datetime,
    marks: Marks = PLAIN,
    seen: SeenKeys | None = None,
    since: Mapping[str, datetime] | None = None,
) -> Checked:
    """Split `frame` into typed rows that keep the contract and the rest with reasons.

    From here on a column has the name that the contract gives it.

    Of several rows with one `unique` key, the first that keeps all the other rules is good and
    every later one is bad; a missing part of a key equals a missing one.

    Args:
        frame: From `ml.data.reading`: the contract's columns, text or typed, under the source's
            names. Not modified.
        contract: The rules.
        now: With a zone; a later datetime is bad unless `future: allow`.
        marks: How numbers are written where the rows are text.
        seen: The keys of the batches before this one, if the rows come in some.
        since: Datetime columns -> the moment before which a value is bad.

    Raises:
        SourceError: The columns are not the contract's.
        ContractError: A datetime column mixes UTC offsets, or allows what it cannot hold.
    """
    if now.tzinfo is None:
        raise ContractError(f"now is {now}, without a zone; pass an aware datetime")
    sources = list(contract.source_names.values())
    frame = check_columns(joined(frame, contract), sources, contract.extra_columns, "the rows")
    frame = frame.copy(deep=False)  # of which the index and the names are others, and no value
    frame.index, frame.columns = pd.RangeIndex(len(frame)), pd.Index(list(contract.columns))
    reasons = _Reasons(frame)
    typed = {}
    for name, rule in contract.columns.items():
        result = cast(frame[name], rule, marks)
        _check_column(name, rule, result, (now, since.get(name) if since else None), reasons)
        typed[name] = result.typed
    rows = pd.DataFrame(typed, copy=False)
    if contract.unique:
        _check_unique(rows, contract.unique, reasons, seen)
    good = ~reasons.bad
    return Checked(
        rows if good.all() else rows[good].reset_index(drop=True), reasons.quarantine(frame)
    )


def violations(checked: Checked) -> dict[str, int]:
    """How many values broke each rule, most first: `{"age.min": 3, "email.nullable": 1}`.

    Also reads a quarantine that was stored and loaded again.
    """
    counts = Counter(
        rule
        for reason in checked.bad["reason"]
        for rule in re.findall(r"(?:^|; )(.+?\.[a-z]+): ", reason)
    )
    return most_first(counts)


def most_first(counts: Mapping[str, int]) -> dict[str, int]:
    """The same, the greatest first, equal ones by name: so the parts of a table sum up to it."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


class _Reasons:
    """What is wrong with each row of a frame; costs nothing for good rows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._texts: dict[int, list[str]] = {}
        self.bad: Mask = np.zeros(len(frame), dtype=bool)

    def add(self, columns: tuple[str, ...], rule: str, at: Mask, what: str) -> None:
        """Note for the rows in `at` that the value of `columns` breaks `rule`."""
        if not at.any():
            return
        self.bad |= at
        values = zip(*(self._frame[name][at] for name in columns), strict=True)
        for row, value in zip(np.flatnonzero(at), values, strict=True):
            self._texts.setdefault(int(row), []).append(reason_of(columns, rule, value, what))

    def quarantine(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The bad rows of `frame` as strings, with `row` and `reason`."""
        if not self.bad.any():
            return no_bad_rows(tuple(frame.columns)).copy()
        bad = frame[self.bad]
        result = pd.DataFrame({name: _spell_column(bad[name]) for name in bad.columns})
        positions = np.flatnonzero(self.bad)
        result["row"] = positions.astype(np.int64)
        texts = ["; ".join(self._texts[int(row)]) for row in positions]
        result["reason"] = pd.Series(texts, dtype=object)
        return result


@lru_cache(maxsize=16)
def no_bad_rows(columns: tuple[str, ...]) -> pd.DataFrame:
    """A quarantine without rows, which most batches of rows have; not to be modified."""
    texts = {name: pd.Series(dtype=object) for name in columns}
    return pd.DataFrame(
        {**texts, "row": pd.Series(dtype=np.int64), "reason": pd.Series(dtype=object)}
    )


def _check_column(
    name: str,
    rule: ColumnContract,
    result: Cast,
    times: tuple[datetime, datetime | None],
    reasons: _Reasons,
) -> None:
    """Note every rule of one column that a value breaks; `times` are those of `said_of`."""
    columns, said = (name,), said_of(rule, *times)
    if "nullable" in said:
        reasons.add(columns, "nullable", result.missing, said["nullable"])
    sound = ~result.missing
    for what, at in result.problems.items():
        reasons.add(columns, "dtype", at, what)
        sound &= ~at
    values, (now, since) = result.typed, times
    broken: dict[str, Callable[[], Any]] = {
        "min": lambda: values.to_numpy() < rule.min,
        "max": lambda: values.to_numpy() > rule.max,
        "allowed": lambda: ~values.isin(allowed_values(name, rule)).to_numpy(),
        "future": lambda: (values > pd.Timestamp(now)).to_numpy(),
        "start": lambda: (values < since).to_numpy(),
    }
    for kind in (one for one in said if one in broken):
        reasons.add(columns, kind, sound & broken[kind](), said[kind])


def _check_unique(
    rows: pd.DataFrame, unique: tuple[str, ...], reasons: _Reasons, seen: SeenKeys | None
) -> None:
    sound = ~reasons.bad
    repeated = np.zeros(len(rows), dtype=bool)
    if seen is None:
        repeated[sound] = rows.loc[sound, list(unique)].duplicated().to_numpy()
    else:
        repeated[sound] = seen.again(rows.loc[sound, list(unique)])
    reasons.add(unique, "unique", repeated, REPEATS)


def _digest(keys: pd.DataFrame, salt: int) -> np.ndarray:
    """64 bits of each key; others for another salt."""
    columns = {name: _bits(column, salt) for name, column in keys.items()}
    return pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()


def _bits(column: pd.Series, salt: int) -> np.ndarray:
    if column.dtype == object:
        return pd.util.hash_array(column.to_numpy(), hash_key=f"{salt:016x}")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.astype("int64")
    # -0.0 is 0.0, of which it has not the bits.
    values = column.to_numpy() + 0.0 if column.dtype == np.float64 else column.to_numpy(np.int64)
    return values.view(np.uint64) ^ np.uint64(salt)


def allowed_values(name: str, rule: ColumnContract) -> pd.Series:
    """The allowed values, typed like the column."""
    result = cast(pd.Series(list(rule.allowed), dtype=object, name=name), rule, PLAIN)
    if any(at.any() for at in result.problems.values()):
        raise ContractError(
            f"contract.columns.{name}.allowed holds {list(rule.allowed)}, "
            f"of which some are no {rule.dtype}; correct them."
        )
    return result.typed


def _spell_column(column: pd.Series) -> pd.Series:
    texts = [None if gone else str(v) for v, gone in zip(column, column.isna(), strict=True)]
    return pd.Series(texts, dtype=object)
