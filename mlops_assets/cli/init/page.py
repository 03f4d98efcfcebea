"""The page of a table's profile that `mlops init` writes beside the YAML: skrub's, one file."""

import os
import tempfile
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from mlops_assets.init.draft import Profiled

PAGE = "profile.html"
_MOST_COLUMNS = 200


def profile_page(sample: "Profiled", title: str) -> str:
    """The page, which needs nothing from elsewhere; empty without the extra `profile`.

    Args:
        sample: The rows that were looked at.
        title: What stands above them.
    """
    with tempfile.TemporaryDirectory(prefix="init-") as folder:
        # Importing it makes a folder for the data sets that it can fetch.
        os.environ.setdefault("SKB_DATA_DIRECTORY", folder)
        try:
            from skrub import TableReport, config_context  # 1.2 CPU seconds
        except ModuleNotFoundError:
            return ""
        with config_context(float_precision=6):
            return TableReport(_typed(sample), title=title, verbose=0).html()


def _typed(sample: "Profiled") -> pd.DataFrame:
    """The columns under the source's names, each as what it was found to be."""
    columns = {}
    for source in list(sample.columns)[:_MOST_COLUMNS]:
        found = sample.found[source]
        values = sample.values(source) if found.moments is None else found.moments
        whole = found.contract.get("dtype") == "int64" and values.dtype == "float64"
        columns[source] = values.astype("Int64") if whole else values
    return pd.DataFrame(columns)
