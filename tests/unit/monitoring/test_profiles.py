"""Profiles of columns: their bins, how they add up, and how much room they take."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mlops_assets.ml.monitoring.drift import (
    summarize,
)
from mlops_assets.ml.monitoring.profiles import merge, profile, profile_reference
from mlops_assets.records.profile import Profile
from tests.support.tables.drift_columns import (
    BINS,
    DTYPES,
    REFERENCE,
    WINDOW,
    assert_equal,
    columns,
    judge,
    model,
)


def test_a_column_of_mostly_zeros_has_a_bin_for_zero():
    assert 0.0 in BINS["spend"].points
    assert BINS["spend"].edges
    more = columns(5000, 1)
    more["spend"] = np.where(np.random.default_rng(2).uniform(size=5000) < 0.5, 0.0, 20.0)
    assert judge(more).drifted_columns == ("spend",)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.integers(0, 99))
def test_profiles_of_parts_add_up_to_that_of_the_whole(sizes: list[int], seed: int):
    parts = [columns(size, seed + i) for i, size in enumerate(sizes)]
    whole = profile(pd.concat(parts, ignore_index=True), BINS)
    profiles = [profile(part, BINS) for part in parts]
    assert_equal(merge(profiles), whole)
    assert_equal(merge(profiles[::-1]), whole)
    left, right = merge(profiles[:1]), profiles[1:]
    assert_equal(merge([left, merge(right)]) if right else left, whole)


def test_moments_and_verdicts_of_merged_days_are_those_of_one_pass():
    days = [columns(400, seed, shift=seed / 4) for seed in range(5)]
    whole = pd.concat(days, ignore_index=True)
    merged = merge([profile(day, BINS) for day in days])
    assert merged.columns["spend"].mean == pytest.approx(whole["spend"].mean())
    assert merged.columns["spend"].deviation == pytest.approx(whole["spend"].std(ddof=0))
    assert merged.columns["city"].mean is None
    one_pass = summarize(REFERENCE, profile(whole, BINS), model(), 3, WINDOW)
    assert summarize(REFERENCE, merged, model(), 3, WINDOW) == one_pass
    assert one_pass.verdict == "drifted"


def test_bins_of_a_long_reference_hold_about_equally_many_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.lognormal(size=100_000), "prediction": 0.5})
    counts = profile_reference(frame, {"x": "float64"}).columns["x"].counts
    assert sum(counts) == 100_000
    assert np.abs(np.array(counts) / 100_000 - 0.1).max() < 0.02


def test_a_column_takes_less_than_ten_kilobytes():
    many = pd.DataFrame(
        {
            "spend": np.random.default_rng(0).normal(size=5000),
            "flag": 0.0,
            "city": [f"a rather long name of a city {i % 3000}" for i in range(5000)],
            "prediction": 0.5,
        }
    )
    found = profile_reference(many, DTYPES)
    assert all(len(column.model_dump_json()) < 10_000 for column in found.columns.values())


def test_a_profile_is_read_as_it_was_written():
    frame = columns(500, 0).assign(spend=np.append(np.arange(499.0), np.inf), city="1")
    found = profile_reference(frame, DTYPES)
    assert found.columns["spend"].high == np.inf
    assert Profile.model_validate_json(found.model_dump_json()) == found


def test_long_names_of_categories_take_less_than_ten_kilobytes():
    long = pd.DataFrame({"city": [f"{i:03}" + "\u00e9" * 300 for i in range(60)] * 10})
    found = profile_reference(long.assign(prediction=0.5), {"city": "string"}).columns["city"]
    assert len(found.model_dump_json().encode()) < 10_000
    assert sum(found.counts) == 600
