"""The SQL of each dialect, as files to read: what is not run here is at least seen.

To write a file anew, delete it and run this test.
"""

from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.blocks.features import AggregateSettings
from mlops_assets.engines.event_table import event_tables
from mlops_assets.engines.relation import EventRelation
from mlops_assets.ml.features.engine import Wanted
from tests.support.tables.engines import AGGREGATES, frame_of
from tests.support.toy_models import event_log

FILES = Path(__file__).parent / "sql"
MOMENT = pd.Timestamp("2024-02-01T00Z")
NAMES = (
    *("count_chosen", "count_both", "sum_window_of_amount", "mean_all_of_amount"),
    *("min_all_of_amount", "max_window_of_amount", "std_all_of_amount"),
    *("nunique_window_of_item", "days_since_first_all", "days_since_last_window"),
)


def relation(wanted: Wanted) -> EventRelation:
    events = frame_of([(1, MOMENT, 2.0, "a", True, 1)])
    return EventRelation(next(event_tables(events, event_log(), wanted)).schema, wanted)


@pytest.mark.parametrize(
    "dialect",
    ["duckdb", "databricks", "bigquery", "snowflake", "trino", "clickhouse", "postgres"],
)
def test_features_and_labels_are_this_sql(dialect: str) -> None:
    import ibis

    config = event_log({name: AGGREGATES[name] for name in NAMES})
    label = {"y": AggregateSettings(agg="sum", column="amount")}
    features = relation(config.features.aggregates).before(MOMENT.value)
    labels = relation(label).following(MOMENT.value, pd.Timedelta("10d").value)
    texts = [str(ibis.to_sql(each, dialect=dialect)) for each in (features, labels)]
    titles = (f"Features as of 2024-02-01: {', '.join(NAMES)}", "Labels of ten days from then on")
    pairs = zip(titles, texts, strict=True)
    found = "\n\n".join(f"-- {title}\n{text}" for title, text in pairs) + "\n"
    path = FILES / f"{dialect}.sql"
    if not path.exists():
        path.write_text(found, encoding="utf-8")
        pytest.fail(f"{path} was not there, and is now: read it")
    assert found == path.read_text(encoding="utf-8")
    assert "DECIMAL" not in found.upper()  # ages would not be those of arrays
