"""What Dagster is told of a model's partitions, and of which one a run is that names none."""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings

PARTITION = "dagster/partition"
"""Run tag: the partition that is asked for."""


def partitions_of(settings: ModelSettings) -> dg.TimeWindowPartitionsDefinition | None:
    """The partitions of a model's data, that of now among them; None if it has none."""
    if settings.partitions is None:
        return None
    start = settings.partitions.start.isoformat()
    if settings.partitions.cadence == "day":
        return dg.DailyPartitionsDefinition(start, end_offset=1)
    if settings.partitions.cadence == "week":
        return dg.WeeklyPartitionsDefinition(start, day_offset=1, end_offset=1)
    return dg.MonthlyPartitionsDefinition(start, end_offset=1)


def partitioned(settings: ModelSettings) -> dict[str, Any]:
    """Arguments of `dagster.asset` for one with partitions: a backfill of any length is one run."""
    return {
        "partitions_def": partitions_of(settings),
        "backfill_policy": dg.BackfillPolicy.single_run(),
    }


def tags_of_now(partitions: dg.PartitionsDefinition | None) -> dict[str, str]:
    """Tags of a run for which nobody chose partitions: that of now, which is not over yet.

    Whatever else is missing or changed is materialized with it, so no run needs to know that.
    """
    newest = partitions.get_last_partition_key() if partitions else None
    return {PARTITION: newest} if newest else {}
