"""Where assets keep their values: frames as Parquet, records as JSON, never a pickle.

Of processed rows and features the older ones stay too, by the version of the data that they are
made of (`resources.kept_versions`). Data versions themselves are kept by `resources.datasets`,
models by `resources.tracking`. With a bucket the newest values are there, and the folder is what
this machine has read of them; older versions stay where they were made.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import BaseModel, Field

from mlops_assets.blocks.base import one_line
from mlops_assets.errors import StateError
from mlops_assets.metadata import place_of_file
from mlops_assets.ml.documented import DocumentedRows, TracedFile, TracedRows
from resources.kept_versions import USUAL_MB, keep

if TYPE_CHECKING:
    import pandas as pd

    from resources.bucket.mirror import Mirror

    Value = pd.DataFrame | DocumentedRows | TracedFile | BaseModel


class ParquetStorage(dg.ConfigurableIOManager):
    """One file per asset under `root`; a write that fails leaves the previous value in place."""

    root: str = Field(description="Folder of the values; created on first use.")
    bucket: str = Field("", description="Where they are for all machines: s3://NAME/...")
    keep_bytes: int = Field(
        USUAL_MB * 1_000_000,
        ge=0,
        description="How much is kept of the older versions of each asset of traced rows.",
    )

    def handle_output(self, context: dg.OutputContext, obj: "Value") -> None:
        """Write the value of one asset; a file is moved to where values are."""
        from mlops_assets.ml.stored_rows import group_rows

        path = self.path(context.asset_key, type(obj))
        if isinstance(obj, BaseModel):
            text = obj.model_dump_json(indent=2)
            self._values.write(path, lambda file: file.write_text(text, encoding="utf-8"))
        elif isinstance(obj, TracedFile):
            self._values.write(path, lambda file: shutil.move(obj.rows.path, file))
        else:
            frame = obj.to_stored() if isinstance(obj, DocumentedRows) else obj
            groups = group_rows(len(frame.columns))
            self._values.write(
                path, lambda file: frame.to_parquet(file, index=False, row_group_size=groups)
            )
        if isinstance(obj, TracedRows | TracedFile):
            keep(path, obj.record.raw.md5, self.keep_bytes)
        context.add_output_metadata({"value": place_of_file(self._values.address(path))})

    def load_input(self, context: dg.InputContext) -> "Value":
        """Read the value of an upstream asset as the type that the parameter declares.

        What was not materialized into this folder, or is damaged, is a `StateError`.
        """
        import pandas as pd

        wanted = context.dagster_type.typing_type
        path = self.path(context.asset_key, wanted)
        if not self._values.get(path):
            raise StateError(
                f"no value of {context.asset_key.to_user_string()} at {path}; "
                "materialize that asset first"
            )
        try:
            if issubclass(wanted, BaseModel):
                return wanted.model_validate_json(path.read_bytes())
            if issubclass(wanted, TracedFile | DocumentedRows):
                return wanted.of(path)
            with path.open("rb") as file:  # a folder is a frame to pandas
                return pd.read_parquet(file)
        except (OSError, ValueError) as err:  # of pyarrow and pydantic, too
            raise StateError(
                f"the value of {context.asset_key.to_user_string()} cannot be read: {path}: "
                f"{one_line(err)}; materialize that asset again"
            ) from err

    @property
    def _values(self) -> "Mirror":
        from resources.bucket.mirror import Mirror

        return Mirror(Path(self.root), self.bucket)

    def path(self, key: dg.AssetKey, kind: type) -> Path:
        """Where the value of an asset stands, by its type: rows or a record."""
        import pandas as pd

        if not issubclass(kind, pd.DataFrame | DocumentedRows | TracedFile | BaseModel):
            raise TypeError(f"{key.to_user_string()}: {kind} is neither a DataFrame nor a record")
        suffix = ".json" if issubclass(kind, BaseModel) else ".parquet"
        return Path(self.root, *key.path).with_suffix(suffix)
