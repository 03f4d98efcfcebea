"""A model as ONNX Runtime computes it: rows in, scores out, nothing of pandas or scikit-learn.

The graph is one of `onnx_export`. Its texts hold `MISSING` where a row has none.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from mlops_assets.errors import DeploymentError

NUMBERS, TEXTS, SCORES = "numbers", "texts", "scores"
MISSING = "\ufdd0"
"""Stands for null among texts; Unicode keeps this character free for such use."""

_EXTERNAL_DATA = "session.model_external_initializers_file_folder_path"

FeatureRow = Mapping[str, float | str | None]
Columns = Mapping[str, np.ndarray]
"""Feature -> float64, or objects of `str`; what is missing is NaN in both."""


class OnnxModel:
    """One graph in memory."""

    def __init__(self, content: bytes, dtypes: Mapping[str, str]) -> None:
        """Load the graph.

        Args:
            content: The file.
            dtypes: Of the features, in column order.

        Raises:
            DeploymentError: It is damaged, takes weights from other files, or is no graph over
                these features.
        """
        import onnxruntime  # 0.3 CPU s

        options = onnxruntime.SessionOptions()
        # One row is computed in microseconds: a thread's start would cost more.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A graph may name files to take its weights from, by default below the working directory:
        # any file of this user would do. Ours hold theirs themselves, so there is no such folder.
        options.add_session_config_entry(_EXTERNAL_DATA, os.devnull)
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as err:  # its own exceptions have no common root
            raise DeploymentError(
                f"the ONNX model cannot be loaded: {type(err).__name__}: {err}; "
                "train and register the model again"
            ) from err
        numbers = [name for name, dtype in dtypes.items() if dtype == "float64"]
        texts = [name for name, dtype in dtypes.items() if dtype == "string"]
        self._numbers, self._texts = _taker(numbers), _taker(texts)
        self._names = {NUMBERS: numbers, TEXTS: texts}
        expected = {NUMBERS: len(numbers), TEXTS: len(texts)}
        found = {each.name: each.shape[1] for each in self._session.get_inputs()}
        if found != {name: columns for name, columns in expected.items() if columns}:
            raise DeploymentError(
                f"the ONNX model takes {found}, but the features are {dict(dtypes)}; "
                "train and register the model again"
            )

    def scores(self, rows: Sequence[FeatureRow]) -> np.ndarray:
        """Score rows; NaN where scikit-learn would refuse one.

        Returns:
            As `ml.inference.scoring.score`.
        """
        feeds: dict[str, Any] = {}
        if self._numbers:
            # None becomes NaN.
            feeds[NUMBERS] = np.array(list(map(self._numbers, rows)), dtype=np.float64)
        if self._texts:
            feeds[TEXTS] = [
                [MISSING if value is None else value for value in row]
                for row in map(self._texts, rows)
            ]
        return self.run(feeds)

    def score_columns(self, columns: Columns) -> np.ndarray:
        """The same of the same rows, as `scores` is of mappings: to the last bit."""
        feeds: dict[str, Any] = {}
        if numbers := self._names[NUMBERS]:
            feeds[NUMBERS] = np.column_stack([columns[name] for name in numbers])
        if names := self._names[TEXTS]:
            texts = np.column_stack([columns[name] for name in names])
            texts[texts != texts] = MISSING
            feeds[TEXTS] = texts
        return self.run(feeds)

    def run(self, feeds: Mapping[str, Any]) -> np.ndarray:
        """Score arrays `numbers` and `texts`, of those that the graph takes."""
        (scores,) = self._session.run([SCORES], feeds)
        return np.asarray(scores)


def _taker(names: Sequence[str]) -> Callable[[FeatureRow], Sequence[float | str | None]] | None:
    """What takes the values of `names` out of a row; None if there are none."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda row: (row[names[0]],)) if names else None
