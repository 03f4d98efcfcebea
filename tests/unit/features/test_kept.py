"""Features that are kept by snapshot: those of arrays to the last bit, and no more is computed."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.engines.kept import Kept
from mlops_assets.errors import StateError
from mlops_assets.ml.features.arrays import ARRAYS
from mlops_assets.ml.features.build import aggregate, label_events
from mlops_assets.ml.features.snapshots import snapshot_times
from tests.support.tables.engines import (
    AGGREGATES,
    EVENTS,
    NAMES,
    Rows,
    frame_of,
    many_events,
    outcome,
)
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds

CHANGES = st.lists(st.one_of(EVENTS, st.integers(0, 9)), min_size=1, max_size=3)


def moments_of(rows: Rows) -> dict[pd.Timestamp, Rows]:
    """Snapshot -> the events before it, in the order of time."""
    snapshots = event_log().features.snapshots
    assert snapshots is not None
    ordered = sorted(rows, key=lambda row: row[1])
    try:
        moments = snapshot_times(snapshots, ordered[-1][1])
    except ValueError:
        return {}
    return {moment: [row for row in ordered if row[1] < moment] for moment in moments}


@worlds(40)
@given(rows=EVENTS, changes=CHANGES, names=NAMES, entity=st.sampled_from(["int64", "string"]))
def test_a_late_event_touches_the_snapshots_after_it(
    tmp_path_factory: pytest.TempPathFactory,
    rows: Rows,
    changes: list[Rows | int],
    names: list[str],
    entity: str,
) -> None:
    made = event_log({name: AGGREGATES[name] for name in names}, entity=entity)
    folder = tmp_path_factory.mktemp("kept")
    before: dict[pd.Timestamp, str] = {}
    for change in [None, *changes]:
        if isinstance(change, int):
            rows = rows[: change % len(rows)] + rows[change % len(rows) + 1 :] or rows
        elif change:
            rows = [*rows, *change]
        events = frame_of(rows)
        if entity == "string":
            events["customer"] = events["customer"].astype(str)
        engine = Kept(ARRAYS, folder)

        found = outcome(lambda e=events, by=engine: aggregate(e, made, by))
        expected = outcome(lambda e=events: aggregate(e, made))

        if isinstance(expected, str):
            assert found == expected
            return
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        now = {moment: repr(seen) for moment, seen in moments_of(rows).items()}
        assert engine.computed == sum(before.get(moment) != seen for moment, seen in now.items())
        before = now


def test_another_definition_is_computed_anew_and_labels_are_not_kept(tmp_path: Path) -> None:
    events = many_events()
    one = event_log({"n": {"agg": "count"}})
    for made, expected in (
        (one, 3),
        (one, 0),
        (event_log({"n": {"agg": "nunique", "column": "item"}}), 3),
    ):
        engine = Kept(ARRAYS, tmp_path / "kept")
        features = aggregate(events, made, engine)
        assert engine.computed == expected
        keys = features[["customer", "event_timestamp"]]
        labels = label_events(events, keys, made, engine)
        pd.testing.assert_frame_equal(labels, label_events(events, keys, made))
    kept = [*(tmp_path / "kept").iterdir()]
    assert len(kept) == 3, "of what is not asked for any more nothing stays"
    kept[0].write_bytes(b"no parquet")
    with pytest.raises(StateError, match=r"is damaged: .*; delete it and run again"):
        aggregate(events, made, Kept(ARRAYS, tmp_path / "kept"))
