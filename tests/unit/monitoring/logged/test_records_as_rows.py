"""A record is one row of a typed table, and the row is the record again."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.metadata import read_facts, stated
from mlops_assets.ml.rows import from_row, to_row
from mlops_assets.records.monitoring import DriftFacts, DriftSummary, PerformanceSummary, Window

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
SENTENCES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1)
NUMBERS = st.floats(allow_nan=False)
MOMENTS = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
WINDOWS = MOMENTS.map(lambda start: Window(start=start, end=start + timedelta(hours=1)))
COUNTS = st.integers(0, 2**53)
DRIFTS = st.builds(
    DriftSummary,
    model=NAMES,
    model_version=COUNTS,
    window=WINDOWS,
    rows=COUNTS,
    reference_rows=COUNTS,
    drifted_columns=st.lists(NAMES).map(tuple),
    scores=st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False)),
    reasons=st.lists(SENTENCES).map(tuple),
    notes=st.lists(SENTENCES).map(tuple),
)
OUTCOMES = st.builds(
    PerformanceSummary,
    model=NAMES,
    model_version=COUNTS,
    window=WINDOWS,
    rows=COUNTS,
    labelled_rows=COUNTS,
    final=st.booleans(),
    metrics=st.dictionaries(NAMES, NUMBERS),
    estimated=st.dictionaries(NAMES, NUMBERS),
    reasons=st.lists(SENTENCES).map(tuple),
)
CALM = DriftSummary(
    model="a",
    model_version=1,
    window=Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC)),
    rows=1,
    reference_rows=1,
    verdict="calm",
)


@given(record=st.one_of(DRIFTS, OUTCOMES))
def test_a_record_is_its_row_again(record: DriftSummary | PerformanceSummary) -> None:
    row = to_row(record)
    assert all(isinstance(cell, str | int | float | bool) for cell in row.values())
    assert from_row(row, type(record)) == record


def test_rows_of_one_table_are_read_again_though_some_lack_a_cell() -> None:
    offending = CALM.model_copy(update={"reasons": ("moved",), "scores": {"a": 1.0}})
    facts = DriftFacts(windows=(CALM, offending))
    event = dg.AssetMaterialization("a", metadata=stated(facts))
    assert read_facts(event, DriftFacts) == facts


def test_a_line_break_in_a_sentence_makes_no_second_one() -> None:
    """A stranger's column may be called so."""
    summary = from_row(
        to_row(CALM.model_copy(update={"reasons": ("a\nb: moved", "c")})), DriftSummary
    )
    assert summary.reasons == ("a b: moved", "c")
