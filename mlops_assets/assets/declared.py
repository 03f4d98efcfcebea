"""What is said of an asset before it ever ran: key, inputs, group, and the columns of its table."""

from functools import cache
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import BACKTESTS, Stage, asset_key, is_training, pool
from mlops_assets.ml.columns import TABLES, Column
from mlops_assets.ml.rows import with_short_words

WORD = 36
"""Characters of a word in a description, which breaks at blanks alone."""


def asset_of(settings: ModelSettings, stage: Stage, **inputs: Stage) -> dict[str, Any]:
    """Arguments of `dagster.asset` for one stage; each input gets the value of another stage."""
    key = asset_key(settings.name, stage)
    columns = TABLES[stage](settings) if stage in TABLES else []
    return {
        "key": key,
        "ins": {name: dg.AssetIn(asset_key(settings.name, of)) for name, of in inputs.items()},
        # Apart: whoever materializes all of a model's group does not mean ten more fits.
        "group_name": BACKTESTS if stage == "backtest" else settings.name,
        "owners": list(settings.owners),
        "pool": pool(settings.name),
        "tags": {
            "mlops/model": settings.name,
            "mlops/part": _part(stage),
            "mlops/task": settings.target.task,
        },
        "metadata": table_metadata(columns, settings.name) if columns else {},
    }


def _part(stage: Stage) -> str:
    """By what a person filters the catalogue."""
    if stage in ("raw_data", "processed_data", "features"):
        return "data"
    if stage in ("batch_predictions", "deployed_endpoint"):
        return "serving"
    return "training" if is_training(asset_key("", stage)) or stage == "backtest" else "monitoring"


def table_metadata(columns: list[Column], model: str) -> dict[str, Any]:
    """Columns as what the Dagster UI shows of a table: its schema, and of what each is made.

    What is equal is one object: 100 models are loaded by every process of Dagster's.
    """
    shown = [_shown(c.name, c.dtype, c.said, c.nullable, c.rules) for c in columns]
    cells = {cell for column in columns for cell in column.made_of}
    keys = {cell.table: asset_key(model, cell.table) for cell in cells}
    deps = {cell: dg.TableColumnDep(keys[cell.table], cell.column) for cell in cells}
    made_of = {of: [deps[cell] for cell in of] for of in {column.made_of for column in columns}}
    lineage = {column.name: made_of[column.made_of] for column in columns if column.made_of}
    schema = {"dagster/column_schema": dg.TableSchema(shown)}
    return schema | ({"dagster/column_lineage": dg.TableColumnLineage(lineage)} if lineage else {})


@cache
def _shown(
    name: str, dtype: str, said: str, nullable: bool, rules: tuple[str, ...]
) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=nullable, other=list(rules))
    told = with_short_words(said, WORD)
    return dg.TableColumn(name, dtype, description=told or None, constraints=constraints)
