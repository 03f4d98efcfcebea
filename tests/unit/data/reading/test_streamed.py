"""What is checked and cleaned batch by batch is what is at once, to the last row and reason."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.config import ModelSettings
from mlops_assets.engines import event_table
from mlops_assets.engines.duckdb import DuckDBEngine
from mlops_assets.errors import ContractError, FeatureError, MlopsError, SourceError
from mlops_assets.ml import stored_rows
from mlops_assets.ml.data import batches
from mlops_assets.ml.data.delivered import checked_rows
from mlops_assets.ml.data.piecewise.streamed import Evenly, stream_rows
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.data.verdict import Tally
from mlops_assets.ml.documented import TracedFile, TracedRows
from mlops_assets.ml.features.arrays import ARRAYS
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.engine import Engine
from mlops_assets.ml.features.labelled import labelled_keys
from mlops_assets.ml.stored_rows import AnyRows, StoredRows
from mlops_assets.records.data import DatasetVersion, Origin
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds

NOW = datetime(2024, 2, 5, tzinfo=UTC)
ORIGIN = Origin(
    raw=DatasetVersion(md5="0" * 32, files=("a",), size_bytes=1, pointer="a.dvc"), checked_at=NOW
)
COLUMNS = ["customer", "at", "amount", "item", "paid", "shop"]
DAYS = st.integers(0, 45).map(lambda day: f"{pd.Timestamp('2024-01-01') + pd.Timedelta(days=day)}Z")
PLAIN = st.tuples(
    st.sampled_from(["1", "2", "3"]),
    DAYS | st.sampled_from(["2024-01-05 10:00:00.5Z", "2024-01-05 10:00:00.50Z"]),
    st.sampled_from(["0", "-0.0", "1.5", None]),
    st.sampled_from(["a", "A", "None", None]),
    st.sampled_from(["true", "no", None]),
    st.sampled_from(["0", "1", "9"]),
)
STRANGE = st.tuples(
    st.sampled_from(["1", "007", "x", None]),
    DAYS | st.sampled_from(["soon", None]),
    st.sampled_from(["1e3", "nan", "-7", "much", None]),
    st.sampled_from(["a ", "Ü", "x;y: z"]),
    st.sampled_from(["perhaps", "true"]),
    st.sampled_from(["1", "1.0", "2", "9007199254740993", None]),
)
EVENT = st.one_of(PLAIN, PLAIN, PLAIN, STRANGE)
AGGREGATES = {
    "n": {"agg": "count", "window": "20d"},
    "spent": {"agg": "sum", "column": "amount"},
    "kinds": {"agg": "nunique", "column": "item"},
    "last": {"agg": "days_since_last", "where": {"shop": [1]}},
}


@dataclass(frozen=True)
class Log:
    """Events as a stranger sends them: several files, and rules that they may break."""

    files: list[list[tuple]]
    form: str
    unique: tuple[str, ...]
    drop_duplicates: bool
    fill: bool
    entity: str

    def settings(self, folder: Path) -> ModelSettings:
        for number, rows in enumerate(self.files):
            self._write(folder / f"{number}.{self.form}", pd.DataFrame(rows, columns=COLUMNS))
        told = event_log(AGGREGATES, entity=self.entity).model_dump(mode="json")
        told["source"] = {"uri": str(folder / f"*.{self.form}"), "format": self.form}
        columns = told["contract"]["columns"]
        columns["item"]["nullable"] = True
        columns["shop"]["allowed"] = [0, 1, 9]
        columns["amount"]["min"] = -5
        if self.fill:
            told["processing"]["fill_na"] = {"item": "none", "amount": 0}
        told["contract"]["unique"] = self.unique
        told["processing"]["drop_duplicates"] = self.drop_duplicates
        return ModelSettings.model_validate(told)

    def _write(self, file: Path, frame: pd.DataFrame) -> None:
        if self.form == "csv":
            frame.to_csv(file, index=False)
        elif self.form == "jsonl":
            frame.to_json(file, orient="records", lines=True)
        else:
            pq.write_table(_as_typed(frame), file, row_group_size=max(4, len(frame) // 5))


def _as_typed(frame: pd.DataFrame) -> pa.Table:
    """Numbers as far as all values are some: the files of one log may differ in that."""
    at = pd.to_datetime(frame["at"], utc=True, format="ISO8601", errors="coerce")
    columns: dict[str, Any] = {"at": at.astype("datetime64[us, UTC]")}
    for name in ("amount", "shop", "customer"):
        numbers = pd.to_numeric(frame[name], errors="coerce")
        columns[name] = numbers
        if name != "amount":
            columns[name] = pa.array([None if n != n else int(n) for n in numbers], pa.int64())
    columns["paid"] = pa.array([{"true": True, "no": False}.get(x) for x in frame["paid"]])
    columns["item"] = pa.array(frame["item"], pa.string()).dictionary_encode()
    return pa.table({name: columns[name] for name in COLUMNS})


LOGS = st.builds(
    Log,
    files=st.lists(st.lists(EVENT, min_size=1, max_size=12), min_size=1, max_size=3),
    form=st.sampled_from(["csv", "jsonl", "parquet"]),
    unique=st.sampled_from([(), ("customer", "at"), ("customer", "item", "amount")]),
    drop_duplicates=st.booleans(),
    fill=st.booleans(),
    entity=st.sampled_from(["int64", "string"]),
)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 3)
    monkeypatch.setattr(batches, "_PIECE", 60)
    monkeypatch.setattr(stored_rows, "ROWS", 4)


def outcome(of: Callable[[], Any]) -> Any:
    try:
        return of()
    except MlopsError as err:
        return f"{type(err).__name__}: {err}"


@worlds(25, shrink=False)
@given(log=LOGS)
def test_batch_by_batch_is_as_at_once(log: Log) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        settings = log.settings(folder)
        files = sorted(folder.glob(f"*.{log.form}"))
        whole = outcome(lambda: checked_rows(files, settings, NOW))
        found = outcome(lambda: stream_rows(files, settings, ORIGIN, folder, 5))
        if isinstance(whole, str) or isinstance(found, str):
            assert whole == found
            return
        assert found.tally == Tally.of(whole)
        assert list(found.tally.broken.items()) == list(Tally.of(whole).broken.items())
        pd.testing.assert_frame_equal(pd.read_parquet(found.bad), stored(whole.bad, folder))
        if not len(whole.rows):
            return
        rows = process(whole.rows, settings.processing)
        at_once = TracedRows(rows, ORIGIN)
        expected = stored(at_once.to_stored(), folder)
        file = TracedFile.of(found.finished(ORIGIN.model_dump(mode="json")))
        pd.testing.assert_frame_equal(pd.read_parquet(file.rows.path), expected)
        assert TracedRows.of(file.rows.path).record == ORIGIN
        assert (file.record, file.rows.count) == (ORIGIN, len(rows) == found.count and found.count)
        pd.testing.assert_frame_equal(found.head, rows.head(len(found.head)))
        engine = DuckDBEngine(folder / "spill", "100MB", 1)
        for known in (None, datetime(2024, 1, 20, tzinfo=UTC)):
            wanted = outcome(lambda: features(rows, settings, ARRAYS, known))  # noqa: B023
            for one in (ARRAYS, engine):
                got = outcome(lambda: features(file.rows, settings, one, known))  # noqa: B023
                if isinstance(wanted, str) or isinstance(got, str):
                    assert wanted == got
                    continue
                pd.testing.assert_frame_equal(got, wanted, rtol=1e-12, atol=1e-9)


def stored(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """As it comes back from a file."""
    frame.to_parquet(folder / "expected.parquet", index=False)
    return pd.read_parquet(folder / "expected.parquet")


def features(
    rows: AnyRows, settings: ModelSettings, engine: Engine, known: datetime | None
) -> pd.DataFrame:
    found = build_features(rows, settings, engine)
    return found.assign(target=labelled_keys(rows, found, settings, known, engine)["y"])


def test_no_more_than_a_batch_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 100)
    rows = [(str(n), "2024-01-05 00:00:00Z", "1", "a", "true", "1") for n in range(1, 2000)]
    log = Log([rows, rows[:500]], "parquet", (), True, False, "int64")
    settings = log.settings(tmp_path)
    held: list[int] = []
    found = process

    def counting(rows: pd.DataFrame, *args: Any) -> pd.DataFrame:
        held.append(len(rows))
        return found(rows, *args)

    monkeypatch.setattr("mlops_assets.ml.data.piecewise.streamed.process", counting)
    streamed = stream_rows(sorted(tmp_path.glob("*.parquet")), settings, ORIGIN, tmp_path, 50)
    assert (max(held), sum(held), streamed.count) == (100, 2499, 1999)
    assert 50 <= len(streamed.sample) <= 100


def test_an_engine_holds_no_more_than_a_few_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, text = 40_000, "a" * 1000
    monkeypatch.setattr(stored_rows, "ROWS", 1000)
    frame = pd.DataFrame({"customer": np.arange(rows), "shop": 1, "item": text, "paid": 1.0})
    frame = frame.assign(at=pd.Timestamp("2024-01-05", tz="UTC").as_unit("ns"), amount=1.0)
    frame.loc[0, "at"] = pd.Timestamp("2024-01-12", tz="UTC")
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    table, before = event_table._event_table, pa.total_allocated_bytes()
    held: list[int] = []

    def counting(*told: Any) -> pa.Table:
        held.append(pa.total_allocated_bytes() - before)
        return table(*told)

    monkeypatch.setattr(event_table, "_event_table", counting)
    engine = DuckDBEngine(tmp_path / "spill", "100MB", 1)
    found = build_features(StoredRows(tmp_path / "rows.parquet"), event_log(AGGREGATES), engine)
    assert (len(found), len(held)) == (rows - 1, 40)
    assert max(held) < 10 * 1000 * len(text), "of 40 batches"


def test_what_is_wrong_in_a_later_batch_is_told_as_it_is(tmp_path: Path) -> None:
    moments = pd.to_datetime(["2024-01-05"] * 8 + [None], utc=True).as_unit("ns")
    frame = pd.DataFrame({"customer": range(9), "at": moments, "amount": 1.0, "item": "a"})
    frame.assign(shop=1).to_parquet(tmp_path / "rows.parquet", index=False)
    engine = DuckDBEngine(tmp_path / "spill", "100MB", 1)
    with pytest.raises(FeatureError, match=r"columns \['at'\] have missing values"):
        build_features(StoredRows(tmp_path / "rows.parquet"), event_log(AGGREGATES), engine)
    assert list((tmp_path / "spill").iterdir()) == []


def test_an_offset_that_changes_in_a_later_file_is_refused(tmp_path: Path) -> None:
    rows = [("1", f"2024-01-0{day} 10:00{offset}", "1", "a", "true", "1")
            for day, offset in ((1, "+01:00"), (2, "+02:00"))]  # fmt: skip
    log = Log([rows[:1], rows[1:]], "csv", (), False, False, "int64")
    settings = log.settings(tmp_path)
    files = sorted(tmp_path.glob("*.csv"))
    mixed = r"mixes UTC offsets: .*\+01:00' and .*\+02:00'"
    with pytest.raises(ContractError, match=mixed):
        checked_rows(files, settings, NOW)
    with pytest.raises(ContractError, match=mixed):
        stream_rows(files, settings, ORIGIN, tmp_path, 5)


def test_files_that_differ_are_refused_as_at_once(tmp_path: Path) -> None:
    row = ("1", "2024-01-05 00:00:00Z", "1", "a", "true", "1")
    log = Log([[row], [row]], "parquet", (), False, False, "int64")
    settings = log.settings(tmp_path)
    second = tmp_path / "1.parquet"
    texts = pq.read_table(second).set_column(0, "customer", pa.array(["one"]))
    pq.write_table(texts, second)
    files = sorted(tmp_path.glob("*.parquet"))
    with pytest.raises(SourceError, match="differ in types"):
        checked_rows(files, settings, NOW)
    with pytest.raises(SourceError, match="differ in types"):
        stream_rows(files, settings, ORIGIN, tmp_path, 5)
    more = replace(log, form="csv")
    settings = more.settings(tmp_path)
    (tmp_path / "1.csv").write_text("customer,at,amount,item,paid,shop,more\n1,,,,,,2\n")
    with pytest.raises(SourceError, match=r"\['more'\] are not in the contract"):
        stream_rows(sorted(tmp_path.glob("*.csv")), settings, ORIGIN, tmp_path, 5)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20), st.integers(1, 9))
def test_a_sample_is_from_all_over(sizes: list[int], least: int) -> None:
    rows, sample, start = np.arange(sum(sizes)), Evenly(least), 0
    for size in sizes:
        sample.add(pd.DataFrame({"n": rows[start : start + size]}))
        start += size
    taken = sample.rows["n"].tolist()
    steps = set(np.diff(taken).tolist())
    assert len(steps) <= 1
    assert taken[:1] == [0][: len(rows)]
    assert min(least, len(rows)) <= len(taken) <= 2 * least
    assert len(rows) - taken[-1] <= max(steps, default=1) if taken else not len(rows)
