"""Six ways in which serving reads something else than training, and no alarm without one."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.monitoring.skew import compare_features, request_keys, sample_requests
from tests.support.toy_models import flat_table

MODEL = flat_table(
    {"spend": "float64", "visits": "float64", "city": "string", "y": "float64"},
    encoding={"city": "one_hot"},
    target={"task": "binary", "column": "y"},
)
DAY, TTL = pd.Timedelta(days=1), pd.Timedelta(days=3)
START = pd.Timestamp("2024-03-01", tz="UTC")


def history() -> pd.DataFrame:
    """Features of 50 entities, each day of two weeks but for every seventh entity's last week."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        [
            {"id": entity, TIMESTAMP: START + day * DAY}
            for day in range(14)
            for entity in range(50)
            if entity % 7 or day < 7
        ]
    )
    return frame.assign(
        spend=np.where(rng.uniform(size=len(frame)) < 0.2, np.nan, rng.normal(size=len(frame))),
        visits=rng.integers(0, 5, len(frame)).astype(float),
        city=rng.choice(["Rome", "Oslo"], len(frame)),
    )


HISTORY = history()


def rebuild(keys: pd.DataFrame) -> pd.DataFrame:
    """A point-in-time join within the TTL, as the offline store makes it."""
    return pd.merge_asof(
        keys.sort_values(TIMESTAMP), HISTORY.sort_values(TIMESTAMP),
        on=TIMESTAMP, by="id", tolerance=TTL,
    )  # fmt: skip


def requests(rows: int = 400) -> pd.DataFrame:
    """Requests as a sound endpoint logs them: what is too old is refused, so never logged."""
    rng = np.random.default_rng(1)
    asked = pd.DataFrame(
        {
            "id": rng.integers(0, 50, rows),
            TIMESTAMP: START + pd.to_timedelta(rng.uniform(1, 14, rows), unit="D"),
        }
    ).drop_duplicates()
    known = rebuild(asked).dropna(subset=["city"])
    logged = known.rename(columns={n: f"feature_{n}" for n in ("spend", "visits", "city")})
    logged = logged.rename(columns={"id": "entity", TIMESTAMP: "event_time"})
    return logged.assign(source="online").reset_index(drop=True)


def skewed(logged: pd.DataFrame) -> set[str]:
    keys = request_keys(logged, MODEL).drop_duplicates()
    return {found.feature for found in compare_features(logged, rebuild(keys), MODEL).skewed}


def served_at(logged: pd.DataFrame, moments: pd.Series, tolerance: pd.Timedelta) -> pd.DataFrame:
    """What an endpoint would log that looked at other moments, or with another TTL."""
    keys = pd.DataFrame({"id": logged["entity"], TIMESTAMP: moments, "row": range(len(logged))})
    found = pd.merge_asof(
        keys.sort_values(TIMESTAMP), HISTORY.sort_values(TIMESTAMP),
        on=TIMESTAMP, by="id", tolerance=tolerance,
    ).sort_values("row")  # fmt: skip
    columns = {f"feature_{n}": found[n].to_numpy() for n in ("spend", "visits", "city")}
    return logged.assign(**columns)


def time_zone(logged: pd.DataFrame) -> pd.DataFrame:
    return served_at(logged, logged["event_time"] - pd.Timedelta(hours=9), TTL)


def stale_materialization(logged: pd.DataFrame) -> pd.DataFrame:
    return served_at(logged, logged["event_time"].clip(upper=START + 8 * DAY), 30 * DAY)


def no_ttl(logged: pd.DataFrame) -> pd.DataFrame:
    late = logged.head(20).assign(entity=7, event_time=START + 13 * DAY)
    late["event_time"] += pd.to_timedelta(range(20), unit="s")
    both = pd.concat([logged, late], ignore_index=True)
    return served_at(both, both["event_time"], 30 * DAY)


def default_fill(logged: pd.DataFrame) -> pd.DataFrame:
    return logged.assign(feature_spend=logged["feature_spend"].fillna(0.0))


def category_encoding(logged: pd.DataFrame) -> pd.DataFrame:
    return logged.assign(feature_city=logged["feature_city"].str.lower())


def join_key_type(logged: pd.DataFrame) -> pd.DataFrame:
    """As text, "10" reads what a prefix of it would: other entities' rows."""
    other = logged["entity"].astype(str).str[0].astype(int)
    wrong = served_at(logged.assign(entity=other), logged["event_time"], TTL)
    return wrong.assign(entity=logged["entity"])


@pytest.mark.parametrize(
    ("bug", "feature"),
    [
        (time_zone, "visits"),
        (stale_materialization, "visits"),
        (no_ttl, "city"),
        (default_fill, "spend"),
        (category_encoding, "city"),
        (join_key_type, "visits"),
    ],
)
def test_a_bug_is_found(bug: Callable[[pd.DataFrame], pd.DataFrame], feature: str) -> None:
    assert feature in skewed(bug(requests()))


@pytest.mark.parametrize("served", ["n/a", "", "nan!"])
def test_a_text_in_place_of_a_number_is_skew_also_where_the_number_is_missing(served: str) -> None:
    logged = requests()
    gone = logged["feature_spend"].isna()
    texts = logged.assign(feature_spend=logged["feature_spend"].astype(object).mask(gone, served))
    (found,) = compare_features(texts, rebuild(request_keys(texts, MODEL)), MODEL).skewed
    assert (found.feature, found.rows) == ("spend", gone.sum())
    assert f"served {served}, offline nan" in found.example


def test_ten_thousand_clean_requests_raise_no_alarm() -> None:
    logged = requests(12_000)
    assert len(logged) > 10_000
    assert skewed(logged) == set()


def test_the_report_names_an_entity_and_both_values() -> None:
    logged = requests().assign(feature_visits=99.0)
    (found,) = compare_features(logged, rebuild(request_keys(logged, MODEL)), MODEL).skewed
    assert found.rows == len(logged)
    assert "served 99.0, offline" in found.example


def test_only_requests_by_entity_are_sampled_each_once() -> None:
    logged = requests()
    doubled = pd.concat([logged, logged, logged.assign(source="request")], ignore_index=True)
    assert len(sample_requests(doubled, 10_000, seed=0)) == len(logged)
    assert len(sample_requests(doubled, 50, seed=0)) == 50


def test_features_that_a_table_holds_in_advance_are_rebuilt_at_their_own_moment() -> None:
    """E.g. of a flight that is scheduled: served today, dated tomorrow."""
    newest = HISTORY.iloc[[-1]].reset_index(drop=True)
    served = {f"feature_{name}": newest[name] for name in ("spend", "visits", "city")}
    logged = pd.DataFrame(
        {
            "entity": newest["id"],
            "event_time": newest[TIMESTAMP] - DAY,
            "features_as_of": newest[TIMESTAMP],
            "source": "online",
            **served,
        }
    )
    assert compare_features(logged, rebuild(request_keys(logged, MODEL)), MODEL).skewed == ()
