"""Rows and their labels, which stand in two files: one sample, and the Python that joins all."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.remote import HEAD, Remote, stored_frame
from mlops_assets.init.reading.table import Table, read_sample
from mlops_assets.ml.data.reading import read_table
from mlops_assets.ml.data.sources import find_files

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_JOINED = (
    HEAD.replace("from elsewhere", "and their labels")
    + '''import pandas as pd

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.ml.data.reading import read_table
from mlops_assets.ml.data.sources import find_files

ROWS = SourceSettings.model_validate({rows!r})
LABELS = SourceSettings.model_validate({labels!r})
COLUMNS = {columns!r}
KEY, TARGET = {key!r}, {target!r}


def load() -> pd.DataFrame:
    """Every row, with its label where there is one."""
    rows = read_table(find_files(str(ROWS.uri)), ROWS, COLUMNS, "drop")
    labels = read_table(find_files(str(LABELS.uri)), LABELS, [KEY, TARGET], "drop")
    return rows.merge(labels, on=KEY, how="left", validate="many_to_one")
'''
)


def join_labels(data: str, labels: str, target: str, answers: Answers, folder: Path) -> Remote:
    """A sample of rows with their labels, which stand in a second file, by an id that both have.

    Args:
        data: The rows, local files.
        labels: The labels, a local file or several: one line for an id.
        target: A column of the labels.
        answers: Which id, where both have several columns of one name.
        folder: Where the sample is put.

    Raises:
        SourceError: They cannot be joined.
        UndecidedError: By several columns they could.
    """
    rows, outcomes = read_sample(data, "", answers), read_sample(labels, target, answers)
    if target not in outcomes.columns:
        raise SourceError(
            f"{labels}: no column {target!r} but {list(outcomes.columns)}; correct it"
        )
    key = _key(rows, outcomes, target, answers)
    ours, theirs = (SourceSettings.model_validate(one.source) for one in (rows, outcomes))
    known = read_table(find_files(str(theirs.uri)), theirs, [key, target], "drop")
    known = known.astype("string").astype(object)
    if known[key].duplicated().any():
        again = known[key][known[key].duplicated()].iloc[0]
        raise SourceError(f"{labels}: {key} {again!r} is there twice; keep one label of each")
    frame = pd.DataFrame({name: texts.to_pylist() for name, texts in rows.columns.items()})
    frame = frame.drop(columns=[target], errors="ignore").merge(known, on=key, how="left")
    if frame[target].isna().all():
        raise SourceError(f"{data}: no {key} of it has a label in {labels}; correct one of them")
    columns = [name for name in rows.columns if name != target]
    code = _JOINED.format(
        rows=ours.model_dump(exclude_defaults=True),
        labels=theirs.model_dump(exclude_defaults=True),
        columns=columns,
        key=key,
        target=target,
    )
    marks = _marks_of_both(rows, outcomes, labels)
    watch = (str(ours.uri), str(theirs.uri))
    return Remote(stored_frame(frame, folder), code, rows.whole, watch, marks)


def _marks_of_both(rows: Table, outcomes: Table, labels: str) -> tuple[str, str | None]:
    """How numbers are written in the two, which are read as one."""
    usual = (".", None)
    ours, theirs = ((one.decimal, one.thousands) for one in (rows, outcomes))
    if ours == theirs or (theirs == usual and not _has_points(outcomes)):
        return ours
    if ours == usual and not _has_points(rows):
        return theirs
    raise SourceError(
        f"{labels}: numbers are written with other marks than in the rows; write them alike"
    )


def _key(rows: Table, outcomes: Table, target: str, answers: Answers) -> str:
    both = [name for name in rows.columns if name in outcomes.columns and name != target]
    if not both:
        raise SourceError(
            f"the rows {list(rows.columns)} and the labels {list(outcomes.columns)} have no column "
            "of one name; give the id the same one"
        )
    return (
        both[0] if len(both) == 1 else answers.ask("entity", "which id joins them?", both[0], both)
    )


def _has_points(table: Table) -> bool:
    """Whether some number is written with one."""
    return any(
        pc.any(pc.match_substring_regex(texts, r"^[+-]?[0-9]*[.][0-9]+$")).as_py()
        for texts in table.columns.values()
    )
