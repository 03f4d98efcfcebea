"""The SQL of features that is made for Postgres gives there what arrays give.

No `MLOPS_ENGINE` names Postgres; of the dialects that no engine speaks, this one can be run.
"""

import io
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pandas as pd
import psycopg2
import pyarrow as pa
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.engines.event_table import event_tables
from mlops_assets.engines.relation import TABLE, EventRelation
from mlops_assets.engines.relation_log import RelationLog
from mlops_assets.ml.features.engine import Wanted
from tests.support.engines import AGGREGATES, compare_features, many_events

if TYPE_CHECKING:
    import ibis.expr.types as ir

pytestmark = pytest.mark.e2e
TYPES = {"int64": "bigint", "double": "double precision", "string": "text"}


class Postgres:
    """As `Engine` says, over a table that ends with the connection."""

    name = "postgres"

    def __init__(self, address: str) -> None:
        self.address = address

    @contextmanager
    def opened(
        self, events: pd.DataFrame, settings: ModelSettings, wanted: Wanted
    ) -> Generator[RelationLog]:
        (table,) = event_tables(events, settings, wanted)
        columns = ", ".join(f"{field.name} {TYPES[str(field.type)]}" for field in table.schema)
        rows = io.StringIO(table.to_pandas().to_csv(index=False, header=False))
        with closing(psycopg2.connect(self.address)) as connection, connection.cursor() as cursor:

            def run(expression: "ir.Table") -> pa.Table:
                import ibis

                cursor.execute(str(ibis.to_sql(expression, dialect="postgres")))
                names = [column.name for column in cursor.description or ()]
                values = zip(*cursor.fetchall(), strict=True)
                return pa.table(dict(zip(names, values, strict=True)))

            cursor.execute(f"CREATE TEMPORARY TABLE {TABLE} ({columns})")
            cursor.copy_expert(f"COPY {TABLE} FROM STDIN WITH (FORMAT csv)", rows)
            yield RelationLog(run, EventRelation(table.schema, wanted), settings.key.name)


def test_aggregates_of_many_events_are_those_of_arrays(database: str) -> None:
    compare_features(many_events(), AGGREGATES, "int64", Postgres(database), scale=0)
