"""Rows of Python values as a Parquet file: exact, of one type for each column, and repeatable."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.errors import SourceError
from mlops_assets.ml.data.formats.rows import RowFile


def stored(folder: Path, *batches: list[Any]) -> pa.Table:
    """One column `a`, whose values come in these batches."""
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    kept = RowFile(parts, ["a"], "the query")
    for values in batches:
        kept.add([(value,) for value in values])
    kept.write(folder / "rows.parquet")
    assert not list(parts.iterdir()), "batches are put away"
    return pq.read_table(folder / "rows.parquet")


LOCAL = datetime.fromisoformat("2024-03-31T02:30")
EAST = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("batches", "kind", "values"),
    [
        ([[2**63 - 1, None, -(2**63)]], pa.int64(), [2**63 - 1, None, -(2**63)]),
        ([[None], [None], [1]], pa.int64(), [None, None, 1]),
        ([[1], [None], [2.5]], pa.float64(), [1.0, None, 2.5]),
        ([[float("inf"), -0.0, 5e-324]], pa.float64(), [float("inf"), -0.0, 5e-324]),
        ([[True, None, False]], pa.bool_(), [True, None, False]),
        ([["", " ab  ", "普"]], pa.string(), ["", " ab  ", "普"]),
        (
            [[Decimal("1.50")], [Decimal("12345678901234567890123456789012345678")]],
            pa.decimal256(40, 2),
            [Decimal("1.50"), Decimal("12345678901234567890123456789012345678.00")],
        ),
        ([[date(1, 1, 1), date(9999, 12, 31)]], pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
        (
            [[LOCAL], [None]],
            pa.timestamp("us"),
            [LOCAL, None],
        ),
        (
            [[None], [datetime(2024, 1, 1, 9, tzinfo=EAST), datetime(2024, 1, 1, tzinfo=UTC)]],
            pa.timestamp("us", "UTC"),
            [None, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)],
        ),
        ([[time(10, 0, 0, 5), None]], pa.string(), ["10:00:00.000005", None]),
        ([[UUID(int=1)]], pa.string(), ["00000000-0000-0000-0000-000000000001"]),
        ([[None], [None, None]], pa.null(), [None, None, None]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_values_are_kept_exactly(
    tmp_path: Path, batches: list[list[Any]], kind: pa.DataType, values: list[Any]
) -> None:
    column = stored(tmp_path, *batches)["a"]
    assert column.type == kind
    assert column.to_pylist() == values


def test_no_number_is_no_missing_value(tmp_path: Path) -> None:
    column = stored(tmp_path, [float("nan"), None])["a"]
    assert column.null_count == 1
    assert str(column[0]) == "nan"


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ([[{"a": 1}]], "kind dict"),
        ([[None], [b"x"]], "kind bytes"),
        ([[timedelta(1)]], "kind timedelta"),
        ([[[1]]], "kind list"),
        ([[1, "x"]], "int and str beside each other"),
        ([[1], ["x"]], "int and str beside each other"),
        ([[True], [1]], "bool and int beside each other"),
        ([[1.5], [Decimal("1.5")]], "Decimal and float beside each other"),
        ([[date(2024, 1, 1)], [LOCAL]], "date and datetime beside each other"),
        ([[LOCAL, datetime(2024, 1, 1, tzinfo=UTC)]], "with and without a zone"),
        ([[LOCAL], [datetime(2024, 1, 1, tzinfo=UTC)]], "beside each other"),
        ([[2**63]], "cannot be kept without loss"),
        ([[2**60 + 1, 0.5]], "cannot be kept without loss"),
        ([[2**60 + 1], [0.5]], "do not fit each other"),
        ([[Decimal("NaN")]], "no finite number"),
        ([[Decimal("Infinity")]], "no finite number"),
        ([[Decimal("1e80")]], "cannot be kept without loss"),
        ([[Decimal("1e70")], [Decimal("1e-10")]], "beside each other"),
        ([["\ud800"]], "cannot be kept without loss"),
        ([], "has no row"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_would_lose_something_is_refused(
    tmp_path: Path, batches: list[list[Any]], said: str
) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        stored(tmp_path, *batches)
    assert "the query" in str(raised.value)
    assert not (tmp_path / "rows.parquet").exists()


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [[1, 2], [None, 4]]
    stored(tmp_path, *rows)
    first = (tmp_path / "rows.parquet").read_bytes()
    stored(tmp_path, *rows)
    assert (tmp_path / "rows.parquet").read_bytes() == first
