"""A version's own settings, and the rows of today as they make them, whatever the YAML says by now.

By these a champion is watched, and compared with a challenger that has other features. How it is
watched and judged is as the YAML says today.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError, MlopsError
from mlops_assets.ml.data.delivered import checked_rows
from mlops_assets.ml.data.processing import identified, process
from mlops_assets.ml.documented import TracedFile
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.labelled import with_targets
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.model_versions.provenance import SETTINGS
from mlops_assets.records.data import Origin
from mlops_assets.records.evaluation import ModelVersion
from resources.champion.ledger import PromotionLedger
from resources.datasets.versions import DvcDatasets
from resources.tracking.tracking import MLflowTracking

_BLOCKS = (
    "source",
    "entity",
    "timestamp",
    "partitions",
    "contract",
    "processing",
    "features",
    "target",
)
"""Of the YAML, those that say what a version is fed and what it predicts."""
_OF_TRAINING = ("split", "weight", "seed")
"""Which rows are held out. Which types a file may hold is never a version's own to say."""


def as_trained(
    version: ModelVersion, settings: ModelSettings, tracking: MLflowTracking
) -> ModelSettings:
    """Today's settings, but what the version is fed and predicts as it was trained.

    The snapshots are today's, at which it is asked: of which others there are changes no feature.
    Columns that were added to the source since are no fault, whatever its contract says of them.
    Today's alone for a version of a release that kept none, or others than this one knows.
    """
    text = tracking.run_of(version).read_text(SETTINGS)
    try:
        then = ModelSettings.model_validate_json(text) if text else settings
    except ValidationError:
        return settings
    of_training = {name: getattr(then.training, name) for name in _OF_TRAINING}
    blocks = {block: getattr(then, block) for block in _BLOCKS}
    blocks["contract"] = then.contract.model_copy(update={"extra_columns": "drop"})
    if then.features.snapshots and settings.features.snapshots:
        moments = {"snapshots": settings.features.snapshots}
        blocks["features"] = then.features.model_copy(update=moments)
    training = settings.training.model_copy(update=of_training)
    return settings.model_copy(update={**blocks, "training": training})


def champion_as_trained(
    settings: ModelSettings, tracking: MLflowTracking, ledger: PromotionLedger
) -> ModelSettings:
    """Those of the champion; today's where there is none, or none in the registry any more."""
    head = ledger.head(settings.name)
    version = tracking.registry.version(settings.name, head.to_version) if head else None
    return as_trained(version, settings, tracking) if version else settings


def by_either_source(
    then: ModelSettings, today: ModelSettings, make: Callable[[ModelSettings], pd.DataFrame]
) -> pd.DataFrame:
    """What is made of raw data by a version's settings, else by them with the source of today.

    A source that is delivered as another format is declared anew; one that is not, as it was.
    """
    try:
        return make(then)
    except MlopsError:
        if then.source == today.source:
            raise
        with suppress(MlopsError):
            return make(then.model_copy(update={"source": today.source}))
        raise


@dataclass(frozen=True)
class RowsAsTrained:
    """The newest rows as the settings of a version make them.

    What was stored is taken where it was made by the same settings; else it is made again of the
    raw data that it came from.
    """

    settings: ModelSettings
    """The version's."""
    today: ModelSettings
    datasets: DvcDatasets

    def processed(self, stored: TracedFile) -> AnyRows:
        """Of `processed_data`, at least the columns that a label is made of.

        Those that today's YAML does not name any more may be gone from the source.

        Raises:
            FeatureError: Today's data do not give them any more.
        """
        if stored.record.made_by in ("", self.settings.processed_by):
            return stored.rows
        try:
            return self._made(self.settings, stored.record, lambda rows, _: rows)
        except FeatureError:
            return self._made(self._of_today(), stored.record, lambda rows, _: rows)

    def features(self, stored: TracedFile) -> AnyRows:
        """Of `features`, with their targets; `FeatureError` as `processed`."""
        if self.are_features(stored.record):
            return stored.rows
        known = stored.record.checked_at
        return self._made(
            self.settings,
            stored.record,
            lambda rows, by: with_targets(build_features(rows, by), rows, by, known),
        )

    def are_features(self, origin: Origin) -> bool:
        """Whether the features of this record are the version's."""
        return origin.made_by in ("", self.settings.computed_by)

    def _of_today(self) -> ModelSettings:
        """The version's without the columns that today's YAML does not read, but for its target."""
        contract, processing = self.settings.contract, self.settings.processing
        target = {self.settings.target_column, *self.settings.target.where}
        kept = {self.settings.key.name, self.settings.timestamp_column, *target}
        read = {*self.today.contract.read_columns}
        kept |= {name for name in contract.columns if {*contract.sources_of(name)} <= read}
        columns = {name: rule for name, rule in contract.columns.items() if name in kept}
        filled = {name: fill for name, fill in processing.fill_na.items() if name in kept}
        dropped = tuple(name for name in processing.drop_columns if name in kept)
        unique = contract.unique if {*contract.unique} <= kept else ()
        update = {"columns": columns, "unique": unique}
        of_processing = {"fill_na": filled, "drop_columns": dropped}
        return self.settings.model_copy(
            update={
                "contract": contract.model_copy(update=update),
                "processing": processing.model_copy(update=of_processing),
            }
        )

    def _made(
        self,
        by: ModelSettings,
        origin: Origin,
        make: Callable[[pd.DataFrame, ModelSettings], pd.DataFrame],
    ) -> pd.DataFrame:
        def of_raw(settings: ModelSettings) -> pd.DataFrame:
            with self.datasets.open(origin.raw) as files:
                checked = checked_rows(files, settings, origin.checked_at)
            rows = process(checked.rows, settings.processing)
            return make(identified(rows, settings, origin.raw.delivered_at), settings)

        try:
            return by_either_source(by, self.today, of_raw)
        except MlopsError as err:
            raise FeatureError(
                f"today's data of {by.name} do not give what its champion was trained on: {err}"
            ) from err
