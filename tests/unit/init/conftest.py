"""What is inferred of a table that a test makes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.init.draft import Draft
from mlops_assets.init.plan import Wanted, plan
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.table import read_sample


@pytest.fixture
def infer(tmp_path: Path) -> Any:
    def run(columns: dict[str, Any], target: str = "y", **options: str) -> Draft:
        file = tmp_path / "table.csv"
        pd.DataFrame(columns).to_csv(file, index=False)
        answers = Answers(options)
        table = read_sample(str(file), target, answers)
        return plan(table, Wanted("mine", target, 8103), answers)

    return run


@pytest.fixture(autouse=True)
def same_numbers(request: pytest.FixtureRequest) -> None:
    """A module's random numbers are the same whichever tests ran before."""
    drawn = getattr(request.module, "RNG", None)
    if drawn is not None:
        drawn.bit_generator.state = np.random.default_rng(2).bit_generator.state
