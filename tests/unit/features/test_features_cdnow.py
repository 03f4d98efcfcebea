"""The real CDNOW purchases: features and labels equal a recomputation by plain row filters."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.config import ModelSettings
from mlops_assets.ml.features.build import build_features, build_labels
from mlops_assets.ml.monitoring.drift import distances
from mlops_assets.ml.monitoring.profiles import profile, profile_reference
from mlops_assets.ml.training.fit import split
from mlops_assets.records.profile import Ageing

DAY = pd.Timedelta("1D")
PAIRS = 200


@pytest.fixture(scope="module")
def settings():
    file = Path("mlops_assets/defs/customers/defs.yaml")
    text = (Path(__file__).parents[3] / file).read_text(encoding="utf-8")
    attributes = yaml.safe_load(text)["attributes"]
    attributes["deployment"] = {"port": 3000}  # a template, which the component would resolve
    return ModelSettings.model_validate(attributes)


@pytest.fixture(scope="module")
def events():
    """All 69,659 rows, the 255 exact duplicates and 80 zero amounts included."""
    package = importlib.util.find_spec("lifetimes")  # not imported: it needs pkg_resources
    if package is None or package.origin is None:
        pytest.skip("lifetimes, of the extra `examples`, is not installed")
    file = Path(package.origin).parent / "datasets" / "CDNOW_master.txt"
    frame = pd.read_csv(file, sep=r"\s+")
    at = pd.to_datetime(frame["date"].astype(str), format="%Y%m%d", utc=True)
    return frame.assign(date=at)


@pytest.fixture(scope="module")
def built(events, settings):
    features = build_features(events, settings)
    return features, build_labels(events, features, settings)


@pytest.fixture(scope="module")
def pairs(events, built):
    """Sampled (customer, snapshot), half of them from the awkward customers."""
    keys = built[0][["customer_id", "event_timestamp"]]
    on_the_day = keys.merge(
        events[["customer_id", "date"]].drop_duplicates(),
        left_on=["customer_id", "event_timestamp"],
        right_on=["customer_id", "date"],
    )
    repeated = events.loc[events.duplicated(), "customer_id"]
    zero = events.loc[events["dollar_value"] == 0, "customer_id"]
    awkward = keys[keys["customer_id"].isin(pd.concat([repeated, zero]))]
    quarter = PAIRS // 4
    assert min(len(on_the_day), len(awkward)) > quarter
    return pd.concat(
        [
            on_the_day[keys.columns].sample(quarter, random_state=0),
            awkward.sample(quarter, random_state=1),
            keys.sample(PAIRS - 2 * quarter, random_state=2),
        ]
    ).drop_duplicates()


def by_hand(own, snapshot):
    past = own[own["date"] < snapshot]
    last_30 = past[past["date"] >= snapshot - 30 * DAY]
    last_90 = past[past["date"] >= snapshot - 90 * DAY]
    return {
        "total_purchases": len(past),
        "total_spend": past["dollar_value"].sum(),
        "avg_purchase_value": past["dollar_value"].mean(),
        "purchases_30d": len(last_30),
        "purchases_90d": len(last_90),
        "spend_90d": last_90["dollar_value"].sum(),
        "recency_days": (snapshot - past["date"].max()) / DAY,
        "tenure_days": (snapshot - past["date"].min()) / DAY,
    }


def test_the_file_is_the_known_one(events):
    assert len(events) == 69_659
    assert events["customer_id"].nunique() == 23_570
    assert int(events.duplicated().sum()) == 255
    assert int((events["dollar_value"] == 0).sum()) == 80


def test_sampled_features_equal_row_filters(events, built, pairs, settings):
    features = built[0].set_index(["customer_id", "event_timestamp"])
    for customer, snapshot in pairs.itertuples(index=False):
        own = events[events["customer_id"] == customer]
        expected = by_hand(own, snapshot)
        assert set(expected) == set(settings.features.names)
        found = features.loc[(customer, snapshot)].to_dict()
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_sampled_labels_equal_row_filters(events, built, pairs):
    labels = built[1].set_index(["customer_id", "event_timestamp"])["buys_again"]
    newest, checked = events["date"].max(), 0
    for customer, snapshot in pairs.itertuples(index=False):
        if snapshot + 90 * DAY > newest:
            assert (customer, snapshot) not in labels.index
            continue
        own = events[events["customer_id"] == customer]
        later = own[(own["date"] >= snapshot) & (own["date"] < snapshot + 90 * DAY)]
        assert labels[(customer, snapshot)] == (len(later) >= 1)
        checked += 1
    assert checked > PAIRS / 2


def test_every_customer_appears_from_the_first_purchase_on(events, built):
    features = built[0]
    first = events.groupby("customer_id")["date"].min()
    sizes = features.groupby("event_timestamp").size()
    assert len(sizes) == 16
    for snapshot, rows in sizes.items():
        assert rows == int((first < snapshot).sum())
    assert not features.isna().any().any()
    assert not features.duplicated(["customer_id", "event_timestamp"]).any()


def test_the_test_months_are_the_last_three_labelled_and_training_is_purged(built, settings):
    features, labels = built
    rows = features.merge(labels, how="left", on=["customer_id", "event_timestamp"])
    train, test = split(rows, settings)
    months = [sorted(part["event_timestamp"].unique()) for part in (train, test)]
    assert [str(m)[:7] for m in months[1]] == ["1998-02", "1998-03", "1998-04"]
    # A label of December 1 reaches to March 1: it would be made of what February predicts.
    assert [str(m)[:7] for m in months[0]] == [f"1997-{m:02}" for m in range(4, 12)]
    assert np.isin(test["buys_again"], (0, 1)).all()


def test_a_cohort_that_only_gets_older_has_not_drifted(built):
    at = built[0]["event_timestamp"]
    names = ["tenure_days", "recency_days"]
    dtypes = dict.fromkeys(names, "float64")
    summer, december = (
        built[0][(at >= start) & (at <= end)].assign(prediction=0.5)
        for start, end in (("1997-07-01", "1997-09-01"), ("1997-12-01", "1997-12-01"))
    )
    newest = summer["event_timestamp"].max()
    ageing = dict.fromkeys(names, Ageing(per=DAY.to_pytimedelta(), as_of=newest))
    scores = []
    for aged in ({}, ageing):
        reference = profile_reference(
            summer, dtypes, ageing=aged, moments=summer["event_timestamp"]
        )
        live = profile(december, reference.bins, december["event_timestamp"])
        found = distances(reference, live)
        scores.append([found[name].psi for name in names])
    (tenure, recency), (aged_tenure, aged_recency) = scores
    assert min(tenure, recency) > 2
    assert aged_tenure < 0.01
    assert aged_recency < 0.25  # some did buy in between
