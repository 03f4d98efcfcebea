"""Distances by hand, and verdicts that the number of rows does not change."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.drift import (
    benjamini_hochberg,
    corrected_psi,
    distance,
    distances,
    psi,
    summarize,
    wasserstein,
)
from mlops_assets.ml.monitoring.profiles import count, profile, profile_reference
from mlops_assets.records.monitoring import DriftSummary
from mlops_assets.records.profile import Ageing, Bins, ColumnProfile
from tests.support.tables.drift_columns import (
    BINS,
    REFERENCE,
    START,
    WINDOW,
    columns,
    judge,
)
from tests.support.toy_models import flat_table


def test_psi_of_two_bins_by_hand():
    expected = (0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5)
    assert psi(np.array([50, 50]), np.array([20, 80])) == pytest.approx(expected)


def test_what_chance_adds_to_the_index_is_taken_off():
    rng = np.random.default_rng(0)
    olds, news = (rng.multinomial(rows, [0.1] * 10, 2000) for rows in (500, 300))
    chance = 9 * (1 / 500 + 1 / 300)
    found = [psi(old, new) for old, new in zip(olds, news, strict=True)]
    assert np.mean(found) == pytest.approx(chance, rel=0.1)
    old, new = np.array([50, 50]), np.array([20, 80])
    assert corrected_psi(old, new) == pytest.approx(psi(old, new) - 2 / 100)
    assert corrected_psi(old, old) == 0


def test_the_same_distribution_is_calm_and_another_is_not():
    assert judge(columns(5000, 1)).verdict == "calm"
    moved = columns(5000, 1)
    moved["city"] = moved["city"].replace("Rome", "Paris")  # a category nobody knows
    found = judge(moved)
    assert (found.verdict, found.drifted_columns) == ("drifted", ("city",))
    assert found.reasons[0].startswith("city: PSI")


def test_an_ignored_column_is_scored_but_raises_no_alarm():
    moved = columns(5000, 1, shift=1000.0)
    found = judge(moved, ignore=["spend"])
    assert found.verdict == "calm"
    assert found.scores["spend"] > 1


def test_wasserstein_by_hand():
    bins = Bins(points=(0.0, 1.0), scale=0.5)
    halves, ones, sevens = (
        count(pd.Series(values), bins) for values in ([0.0, 1.0] * 50, [1.0] * 100, [7.0] * 10)
    )
    assert wasserstein(halves, ones) == pytest.approx(0.5 / 0.5)  # half of the rows moved by 1
    assert wasserstein(halves, sevens) == pytest.approx(6.5 / 0.5)
    assert wasserstein(sevens, ones) == pytest.approx(6.0 / 0.5)
    assert wasserstein(halves, halves) == 0.0
    assert wasserstein(halves, count(pd.Series([np.nan] * 3), bins)) == 0.0
    assert wasserstein(halves, count(pd.Series([np.inf]), bins)) == np.inf


def test_jensen_shannon_by_hand():
    halves, ones = (count(pd.Series(v), Bins(points=(0.0, 1.0))) for v in ([0.0, 1.0], [1.0] * 2))
    middle = 0.25 * np.log2(0.25) + 0.75 * np.log2(0.75)  # entropies: 1 bit and none
    assert distance(halves, ones).jensen_shannon == pytest.approx(-middle - 1 / 2)
    assert distance(ones, ones).jensen_shannon == 0.0


def test_kolmogorov_smirnov_and_chi_square_are_scipys():
    from scipy.stats import chi2_contingency, ks_2samp

    rng = np.random.default_rng(0)
    old, new = (rng.integers(0, 6, size=500) ** power * 1.0 for power in (1, 2))
    values = tuple(np.unique([old, new]).tolist())
    found = distance(*(count(pd.Series(side), Bins(points=values)) for side in (old, new)))
    counts = [[np.count_nonzero(side == value) for value in values] for side in (old, new)]
    assert found.kolmogorov_smirnov == pytest.approx(ks_2samp(old, new).statistic)
    assert found.p_value == pytest.approx(chi2_contingency(counts, correction=False).pvalue)


def test_rare_categories_of_few_rows_are_no_evidence_of_drift():
    """Each alone, one row where a fifth of a row was expected would look like a shift."""
    from scipy.stats import chi2_contingency

    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, 51) ** 2
    names = tuple(f"city {number}" for number in range(50))

    def counted(rows: int) -> ColumnProfile:
        counts = (*rng.multinomial(rows, shares / shares.sum()).tolist(), 0)
        return ColumnProfile(bins=Bins(points=names), counts=counts, sums=())

    p_values = np.array([distance(counted(5000), counted(200)).p_value for _ in range(500)])
    assert (p_values < 0.01).sum() <= 15  # 5 are expected; 55 were it for each category alone

    old, new = ([60, 30, 2, 2, 2, 4], [30, 60, 1, 4, 3, 2])  # the last four expect 2 to 3.5 each
    bins = Bins(points=names[:5])
    found = distance(*(ColumnProfile(bins=bins, counts=tuple(n), sums=()) for n in (old, new)))
    pooled = [[*counts[:2], sum(counts[2:])] for counts in (old, new)]
    assert found.p_value == pytest.approx(chi2_contingency(pooled, correction=False).pvalue)


@pytest.mark.parametrize(("shift", "spread"), [(0.5, 1.0), (3.0, 1.0), (-8.0, 0.1)])
def test_wasserstein_from_bins_is_that_of_the_rows(shift: float, spread: float):
    rng = np.random.default_rng(0)
    old, new = rng.normal(size=20_000), rng.normal(shift, spread, size=20_000)
    frame = pd.DataFrame({"x": old, "prediction": old})
    reference = profile_reference(frame, {"x": "float64"}).columns["x"]
    exact = np.abs(np.sort(old) - np.sort(new)).mean() / old.std()
    found = wasserstein(reference, count(pd.Series(new), reference.bins))
    assert found == pytest.approx(exact, rel=0.2)


def test_a_trifle_is_no_drift_however_many_rows_show_it():
    live = columns(200_000, 1)
    live["prediction"] **= 1.05
    distance = distances(REFERENCE, profile(live, BINS))["prediction"]
    assert distance.p_value < 1e-6
    assert judge(live).verdict == "calm"


def test_a_large_score_of_few_rows_is_no_drift():
    few = [columns(25, seed) for seed in range(40)]
    scores = [max(judge(live, min_rows=2).scores.values()) for live in few]
    assert max(scores) > 0.2
    assert {judge(live, min_rows=2).verdict for live in few} == {"calm"}


@pytest.mark.parametrize("rows", [200, 1_000, 20_000])
def test_no_number_of_rows_makes_noise_a_drift(rows: int):
    verdicts = [judge(columns(rows, seed)).verdict for seed in range(10, 30)]
    assert verdicts == ["calm"] * 20


@pytest.mark.parametrize("rows", [300, 3_000, 30_000])
@pytest.mark.parametrize("column", ["spend", "flag", "city", "prediction"])
def test_the_same_shift_is_found_in_any_number_of_rows(column: str, rows: int):
    live = columns(rows, 1)
    moved = {
        "spend": live["spend"] + 5 * (np.arange(rows) % 3 == 0),  # mostly zeros before
        "flag": (np.arange(rows) % 10 < 8).astype(float),
        "city": live["city"].where(np.arange(rows) % 2 == 0, "Bern"),
        "prediction": live["prediction"] ** 2,
    }
    assert judge(live.assign(**{column: moved[column]})).drifted_columns == (column,)


def test_a_constant_column_drifts_when_its_value_changes():
    frame = pd.DataFrame({"a": [1.0] * 500, "prediction": 0.5})
    reference = profile_reference(frame, {"a": "float64"})
    settings = flat_table({"a": "float64", "y": "float64"})
    live = profile(frame.assign(a=2.0), reference.bins)
    assert summarize(reference, live, settings, 1, WINDOW).drifted_columns == ("a",)


def test_few_rows_give_no_verdict():
    assert judge(columns(150, 1, shift=1000.0)).verdict == "unknown"


def test_false_alarms_of_a_year_without_drift():
    dtypes = {f"x{i}": "float64" for i in range(20)}
    rng = np.random.default_rng(7)

    def day(rows: int) -> pd.DataFrame:
        frame = pd.DataFrame(rng.normal(size=(rows, 20)), columns=list(dtypes))
        return frame.assign(prediction=rng.uniform(size=rows))

    reference = profile_reference(day(5000), dtypes)
    bins = {name: column.bins for name, column in reference.columns.items()}
    settings = flat_table({**dtypes, "y": "float64"})
    verdicts = [
        summarize(reference, profile(day(300), bins), settings, 1, WINDOW).verdict
        for _ in range(365)
    ]
    assert verdicts.count("drifted") <= 1


def test_among_many_columns_of_noise_none_is_a_drift():
    """However small the effect that counts: of 150 tests at 1 %, some fail by chance."""
    rng = np.random.default_rng(7)
    dtypes: dict[str, Any] = {f"x{i}": "float64" for i in range(150)}
    frame = pd.DataFrame(rng.normal(size=(2300, 150)), columns=list(dtypes)).assign(prediction=0.5)
    reference, live = frame.head(2000), frame.tail(300)
    found = profile_reference(reference, dtypes)
    base = flat_table({**dtypes, "y": "float64"}).model_dump(exclude={"monitoring"})
    drift = {"drift": {"threshold": 1e-9}}
    settings = ModelSettings.model_validate({**base, "monitoring": drift})
    counted = profile(live, found.bins)
    by_chance = [one.p_value <= 0.01 for one in distances(found, counted).values()]
    assert sum(by_chance) >= 1
    assert summarize(found, counted, settings, 1, WINDOW).drifted_columns == ()


def test_a_column_that_went_missing_or_constant_is_a_fault_not_a_drift():
    live = columns(1000, 1)
    live["flag"], live["spend"] = np.nan, 7.0
    found = judge(live)
    assert found.broken_columns == ("spend", "flag")
    assert found.drifted_columns == ()
    assert found.reasons == (
        "spend: every row is 7.0, of the reference 1% are like that",
        "flag: 100% of the rows are missing, 0% in the reference",
    )
    assert judge(columns(1000, 1).drop(columns="flag")).broken_columns == ("flag",)


@pytest.mark.parametrize(("column", "usual"), [("spend", 0.0), ("city", "Rome")])
def test_a_window_of_the_usual_value_only_is_no_fault(column: str, usual: float | str):
    found = judge(columns(1000, 1).assign(**{column: usual}))
    assert found.broken_columns == ()  # or every dry day would be a fault of the rain gauge
    assert judge(columns(1000, 1).assign(city="Bern")).broken_columns == ("city",)


def test_constant_and_all_missing_references_are_calm():
    frame = pd.DataFrame({"a": [1.0] * 500, "b": [np.nan] * 500, "prediction": [0.5] * 500})
    dtypes: dict[str, Any] = {"a": "float64", "b": "float64"}
    reference = profile_reference(frame, dtypes)
    bins = {name: column.bins for name, column in reference.columns.items()}
    again = summarize(
        reference, profile(frame, bins), flat_table({**dtypes, "y": "float64"}), 1, WINDOW
    )
    assert (again.verdict, again.broken_columns) == ("calm", ())


def cohort(day: int, *, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Customers of one cohort, asked about `day` days after it was closed: each a day older."""
    rng = np.random.default_rng(seed)
    age = rng.gamma(4, 10, 2000) + day
    frame = pd.DataFrame({"tenure": age, "prediction": rng.uniform(size=2000)})
    return frame, pd.Series([pd.Timestamp(START) + pd.Timedelta(days=day)] * 2000)


def judge_cohort(live: pd.DataFrame, moments: pd.Series, ageing: dict[str, Any]) -> DriftSummary:
    (frame, at), dtypes = cohort(0), {"tenure": "float64"}
    aged = {name: Ageing(per=per, as_of=START) for name, per in ageing.items()}
    reference = profile_reference(frame, dtypes, ageing=aged, moments=at)
    found = profile(live, reference.bins, moments)
    settings = flat_table({"tenure": "float64", "y": "float64"})
    return summarize(reference, found, settings, 1, WINDOW)


def test_ageing_alone_is_no_drift_where_a_column_is_said_to_age():
    older = cohort(90, seed=1)
    assert judge_cohort(*older, {}).drifted_columns == ("tenure",)
    assert judge_cohort(*older, {"tenure": "1d"}).verdict == "calm"


def test_a_change_of_shape_is_a_drift_of_a_column_that_ages():
    live, moments = cohort(90, seed=1)
    live.loc[live.index % 3 == 0, "tenure"] = 5.0  # new customers
    assert judge_cohort(live, moments, {"tenure": "1d"}).drifted_columns == ("tenure",)


def test_benjamini_hochberg_by_hand():
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
