"""Rows together with a record of them, as one asset hands both to the next.

What a record says is in `records`; where both are stored is in `resources.dagster.io`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from mlops_assets.blocks.base import Record
from mlops_assets.records.data import Maturity, Origin

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.ml.stored_rows import StoredRows

_Record = TypeVar("_Record", bound=Record)


@dataclass(frozen=True)
class DocumentedRows(Generic[_Record]):
    """Rows and a record of them: beside the frame, so that no merge of it loses the record."""

    rows: "pd.DataFrame"
    record: _Record
    kind: ClassVar[type[Record]]

    @classmethod
    def of(cls, path: Path) -> Self:
        """What a file holds; an `OSError` or `ValueError` if it is damaged, or has no record."""
        from mlops_assets.ml.stored_rows import StoredRows  # imports pandas

        rows = StoredRows(path)
        record = _record(cls.kind, rows.attributes)
        return cls(rows.frame(), record)

    def to_stored(self) -> "pd.DataFrame":
        """One frame, whose attributes, which Parquet keeps, are the record."""
        frame = self.rows.copy(deep=False)
        frame.attrs = {**self.record.model_dump(mode="json")}
        return frame


class TracedRows(DocumentedRows[Origin]):
    """Processed rows, or features, and what they were made of."""

    kind = Origin


@dataclass(frozen=True)
class TracedFile:
    """Rows as `TracedRows` are stored, by their file: a frame of them is made only where needed."""

    rows: "StoredRows"
    record: Origin

    @classmethod
    def of(cls, path: Path) -> Self:
        """What a file holds; an `OSError` or `ValueError` if it is damaged, or has no record."""
        from mlops_assets.ml.stored_rows import StoredRows  # imports pandas

        rows = StoredRows(path)
        return cls(rows, _record(Origin, rows.attributes))


class Labels(DocumentedRows[Maturity]):
    """The known targets of what was predicted, and until when all of them are known."""

    kind = Maturity


def _record(kind: type[_Record], attributes: Mapping[str, Any]) -> _Record:
    """The record that these attributes hold; a `ValueError` if they do not."""
    fields = kind.model_fields
    if any(one.is_required() and name not in attributes for name, one in fields.items()):
        raise ValueError(
            "it was stored before versions were recorded, and so may be what it is made of"
        )
    return kind.model_validate({name: attributes[name] for name in fields if name in attributes})
