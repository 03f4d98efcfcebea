"""A version of the raw data, and the features as the feature store knows them."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from mlops_assets.blocks.base import LONGEST, Duration, Moment, PlaceOfFile, Record
from mlops_assets.blocks.data import ROW, EntitySettings
from mlops_assets.config import ModelSettings

TIMESTAMP = "event_timestamp"
"""Column of the moment that a row's features are known at."""


class DatasetVersion(Record):
    """One version of a model's raw data in the data repository."""

    md5: str = Field(description="DVC's md5; ends in `.dir` for several files.")
    files: tuple[str, ...] = Field(description="File names, sorted.")
    size_bytes: int
    pointer: str = Field(description="Path of the `.dvc` file that names this version.")
    delivered_at: Moment | None = Field(
        None, description="When it became the newest content; None: nobody noted it."
    )


class SourceFacts(Record):
    """What `raw_data` states for others to read."""

    source_fingerprint: str = Field(
        description="Of the content that was read; empty: the loader names nothing to look at."
    )


class RejectedRows(Record):
    """What `processed_data` states of the rows that broke the contract."""

    rejected_rows: int
    delivered_rows: int = Field(description="With those that were rejected.")
    quarantine: PlaceOfFile = Field(description="The file that they are in, with the reasons.")
    broken_rules: dict[str, int] = Field({}, description="`COLUMN.RULE` -> values that broke it.")

    @property
    def kept(self) -> Self:
        """As it is kept with what was made of the others: its file by its place in the folder."""
        return self.model_copy(update={"quarantine": "/".join(Path(self.quarantine).parts[-2:])})

    @property
    def said(self) -> str:
        """In a line, for a person."""
        broken = ", ".join(f"{rule} {count:,}" for rule, count in self.broken_rules.items())
        return (
            f"{self.rejected_rows:,} of {self.delivered_rows:,} rows are put aside ({broken}), "
            f"in {self.quarantine}"
        )


class Origin(Record):
    """What processed rows and features were made of, so that a training can be repeated."""

    raw: DatasetVersion
    checked_at: Moment = Field(description="The moment that the contract took for now.")
    made_by: str = Field(
        "",
        description="Hash of what the YAML said of making them; empty: by an earlier release.",
    )
    rejected: RejectedRows | None = Field(
        None, description="Of those raw data; None: by an earlier release."
    )
    engine: str = Field("arrays", description="What made the features, as `MLOPS_ENGINE` names it.")


class ColumnSummary(Record):
    """One column; numbers and moments are spelled for a person."""

    column: str
    type: str
    rows: int
    missing: float = Field(description="Share of the rows.")
    different: str = Field("0", description="Values; of a large table those of some 100,000 rows.")
    low: str | None = None
    mean: str | None = None
    high: str | None = None
    deviation: str | None = None
    most_frequent: str | None = Field(None, description="Of texts: the value and its share.")


class FeatureFacts(Record):
    """What `features` states for others to read."""

    newest_entity: str = Field(description="Of the last row: an id, or the row's number.")


class Maturity(Record):
    """How far the labels of a model are known."""

    known_until: Moment | None = Field(description="None: there is no row to know it by.")


_FEASTS_OWN = re.compile(r"(rn|entity_row_id|event_expire_timestamp|.*_y|.*__ts)_*")
"""Columns that Feast adds to its joins and drops again, or answers beside a feature's: of ours, one
so called would vanish. With any number of `_` at the end, so that no two names become one.
"""


def stored_name(column: str) -> str:
    """What an entity, feature or target is called in Feast: as it is, as a rule."""
    return f"{column}_" if _FEASTS_OWN.fullmatch(column) else column


class FeatureView(Record):
    """One model's features as the feature store knows them."""

    name: str
    entity: EntitySettings | None = Field(description="None: it is not published online.")
    features: dict[str, Literal["float64", "string"]]
    ttl: Duration

    @property
    def key(self) -> EntitySettings:
        """What a row is known by: its entity, else its number."""
        return self.entity or ROW

    @classmethod
    def of(cls, settings: ModelSettings) -> Self:
        """The view of a model: its name is the model's."""
        return cls(
            name=settings.name,
            entity=settings.entity,
            features=settings.feature_dtypes,
            ttl=settings.features.ttl or LONGEST,
        )


def references(view: FeatureView) -> list[str]:
    """The features as Feast is asked for them."""
    return [f"{view.name}:{stored_name(name)}" for name in view.features]
