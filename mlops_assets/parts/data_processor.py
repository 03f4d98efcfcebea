"""Rows as they come -> rows that keep the contract, cleaned; what `processed_data` is made by."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pandas as pd

from mlops_assets.blocks.data import ContractSettings, ProcessingSettings, SourceSettings
from mlops_assets.errors import ContractError
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.marks import PLAIN, Marks
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.data.verdict import Tally, broken_contract, contract_holds
from mlops_assets.parts.blocks import Block, moment_or_now, require_frame, require_rows, validated


class Processed(NamedTuple):
    """Every row of the input that was not dropped as a duplicate, in one of two frames."""

    rows: pd.DataFrame
    """Typed and cleaned, under the contract's names; index from 0."""
    bad: pd.DataFrame
    """Rows that break the contract: as they came, as strings, `row` and `reason`."""


@dataclass(frozen=True)
class DataProcessor:
    """Check a frame by `contract`, then drop, deduplicate and fill as `processing` says.

    >>> list(DataProcessor({"drop_columns": ["b"]}).run(pd.DataFrame({"a": [1], "b": [2]})).rows)
    ['a']
    """

    processing: Block
    """The YAML's block; empty: rows stay as they are."""
    contract: Block = None
    """The YAML's block; None: the frame is taken as it is, with its own types and names."""
    source: Block = None
    """The YAML's block, by which numbers in columns of text are read; None: as in Python."""

    def run(self, frame: pd.DataFrame, now: datetime | None = None) -> Processed:
        """Process a frame, which is not modified.

        Args:
            frame: Of text or of typed columns, under the source's names.
            now: A datetime after it breaks the contract; default: the clock.

        Raises:
            ConfigError: A block has faults.
            ContractError: More rows are bad than the contract allows, or a column is unknown.
        """
        require_frame(frame, "frame")
        processing = validated(ProcessingSettings, self.processing)
        if self.contract is None:
            return Processed(process(frame, processing), frame.head(0))
        contract = validated(ContractSettings, self.contract)
        checked = enforce(frame, contract, moment_or_now(now), self._marks())
        require_rows(frame, ContractError)
        if not contract_holds(Tally.of(checked), contract):
            raise ContractError(broken_contract(Tally.of(checked), "in the frame"))
        return Processed(process(checked.rows, processing), checked.bad)

    def _marks(self) -> Marks:
        if self.source is None:
            return PLAIN
        return Marks.written_in(validated(SourceSettings, self.source))
