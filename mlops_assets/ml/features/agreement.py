"""Whether serving says what training does: which rows both are asked for, and when answers agree.

What is compared is found by its key, an entity or a class, never by a place or an order: two sides
that are sorted alike agree on everything but on whose value is whose.

Fetching both sides is for the checks in `asset_checks`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.ml.file_part import Part
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView

SAMPLED_ENTITIES = 20


def newest_rows(rows: Part, view: FeatureView, now: datetime | None = None) -> pd.DataFrame:
    """The newest row of each of the newest entities, a sample of them: what the store must hold.

    Online there is one row for each entity, its newest, if the view's TTL has not run out since.

    Args:
        rows: Entity and event_timestamp, whatever else, sorted by both times and entities.
        view: Whose entity and TTL.
        now: What the TTL is counted back from, if that is later than the newest row.
    """
    last_of_each = np.flatnonzero(~rows[view.key.name].duplicated(keep="last"))
    last = rows[TIMESTAMP].max().to_pydatetime(warn=False)
    # In Python and numpy: a moment before 1677 is none to pandas.
    oldest = (max(last, now or last) - view.ttl).astimezone(UTC).replace(tzinfo=None)
    moments = rows[TIMESTAMP].iloc[last_of_each].dt.as_unit("us").dt.tz_localize(None).to_numpy()
    kept = last_of_each[moments >= np.datetime64(oldest, "us")]
    # Only what is shown is copied: there may be millions of rows.
    return rows.take(kept[-SAMPLED_ENTITIES:]).reset_index(drop=True)


def answers_alike(
    answer: Mapping[str, Any],
    scores: Sequence[float],
    allowed: float,
    classes: Sequence[str] = (),
) -> bool:
    """Whether an answer of the endpoint says what the scores do, to `allowed`.

    Args:
        answer: Of one row.
        scores: What it must say.
        allowed: Absolute.
        classes: Whose the scores are, of a multiclass model; without, as the answer orders them.
    """
    shares: Mapping[str, float] | None = answer.get("probabilities")
    if "error" in answer or len(scores) != len(shares or [""]):
        return False
    if shares is None:
        return bool(np.isclose(answer["prediction"], scores[0], rtol=0, atol=allowed))
    expected = dict(zip(classes or shares, scores, strict=True))
    served = [shares.get(name, np.nan) for name in expected]
    alike = bool(np.allclose(served, scores, rtol=0, atol=allowed))
    # Of two that are as likely but for the runtime's rounding, either may be named.
    return alike and expected.get(answer["prediction"], -np.inf) >= max(scores) - 2 * allowed
