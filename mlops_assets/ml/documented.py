"""Rows together with a record of them, as one asset hands both to the next.

What a record says is in `records`; where both are stored is in `resources.dagster.io`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from mlops_assets.blocks.base import Record
from mlops_assets.records.data import Maturity, Origin

if TYPE_CHECKING:
    import pandas as pd

_Record = TypeVar("_Record", bound=Record)


@dataclass(frozen=True)
class DocumentedRows(Generic[_Record]):
    """Rows and a record of them: beside the frame, so that no merge of it loses the record."""

    rows: "pd.DataFrame"
    record: _Record
    kind: ClassVar[type[Record]]

    @classmethod
    def from_stored(cls, frame: "pd.DataFrame") -> Self:
        """The rows and record of a frame as `to_stored` gave it.

        Raises:
            ValueError: Its attributes do not hold the record.
        """
        fields = cls.kind.model_fields
        if not {name for name in fields if fields[name].is_required()} <= frame.attrs.keys():
            raise ValueError(
                "it was stored before versions were recorded, and so may be what it is made of"
            )
        said = {name: frame.attrs[name] for name in fields if name in frame.attrs}
        return cls(frame, cls.kind.model_validate(said))

    def to_stored(self) -> "pd.DataFrame":
        """One frame, whose attributes, which Parquet keeps, are the record."""
        frame = self.rows.copy(deep=False)
        frame.attrs = {**self.record.model_dump(mode="json")}
        return frame


class TracedRows(DocumentedRows[Origin]):
    """Processed rows, or features, and what they were made of."""

    kind = Origin


class Labels(DocumentedRows[Maturity]):
    """The known targets of what was predicted, and until when all of them are known."""

    kind = Maturity
