"""The partitions of an asset: which of them a run materializes, and what Dagster is told of each.

The value of an asset is always that of all partitions, so that what comes after needs to know of
none. What is in a partition says whoever makes the value.
"""

from collections.abc import Mapping
from typing import NamedTuple

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import Stage, asset_key, partitions_of
from resources.datasets.partitions import EMPTY, PartitionFiles

_ROWS = "dagster/partition_row_count"


class Parts(NamedTuple):
    """The partitions of an asset, as the run that materializes them says of them."""

    context: dg.AssetExecutionContext
    settings: ModelSettings
    stage: Stage
    files: PartitionFiles

    def announce(self, versions: Mapping[str, str], rows: Mapping[str, int]) -> dict[str, int]:
        """Say which partitions are materialized: the run's, and those that changed or are missing.

        A partition between others that has no row is there, and empty; one that no clock has
        reached is not.

        Args:
            versions: Partition -> what it is now.
            rows: Partition -> how many rows it has.

        Returns:
            How many partitions there are, and are materialized.
        """
        asked, key = {*self.context.partition_keys}, asset_key(self.settings.name, self.stage)
        now = self._reached(versions)
        changed = {*self.files.changed(self.settings, self.stage, now)}
        for name in sorted(asked):
            self.context.add_asset_metadata(
                {_ROWS: rows.get(name, 0)}, asset_key=key, partition_key=name
            )
        for name in sorted(changed - asked):
            self.context.log_event(
                dg.AssetMaterialization(
                    key,
                    partition=name,
                    metadata={_ROWS: rows.get(name, 0)},
                    tags={"dagster/data_version": now.get(name, EMPTY)},
                )
            )
        self.files.announce(self.settings, self.stage, now)
        return {"partitions": len(now), "partitions_materialized": len(changed | asked)}

    def _reached(self, versions: Mapping[str, str]) -> dict[str, str]:
        definition, partitions = partitions_of(self.settings), self.settings.partitions
        newest = definition.get_last_partition_key() if definition else None
        dated = [name for name in versions if name and newest and name <= newest]
        keys = partitions.keys_until(max(dated)) if partitions and dated else []
        return {name: versions.get(name, EMPTY) for name in keys}
