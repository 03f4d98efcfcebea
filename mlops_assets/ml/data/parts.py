"""A moment that the source keeps in several columns, such as `Date` and `Time`, becomes one."""

import pandas as pd

from mlops_assets.blocks.data import ContractSettings


def joined(frame: pd.DataFrame, contract: ContractSettings) -> pd.DataFrame:
    """`frame` with one column of texts in place of those that it is in; itself if there are none.

    A blank stands between the texts; where a part has no value, neither has the whole. What is one
    column already stays.
    """
    whole = {
        contract.source_names[name]: list(rule.parts)
        for name, rule in contract.columns.items()
        if rule.parts and {*rule.parts} <= {*frame.columns}
    }
    if not whole:
        return frame
    parts = {part for of in whole.values() for part in of} - {*contract.source_names.values()}
    columns = {name: _text(frame[of]) for name, of in whole.items()}
    return frame.drop(columns=[*parts]).assign(**columns)


def _text(parts: pd.DataFrame) -> pd.Series:
    texts, *rest = (parts[name].astype(str).astype(object) for name in parts.columns)
    for each in rest:
        texts = texts + " " + each
    return texts.where(parts.notna().to_numpy().all(axis=1), None)
