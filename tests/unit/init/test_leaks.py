"""What gives the target away, which rows are held out, which are there again."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.init.leaks import find_copies, find_leaks
from mlops_assets.init.split import choose_split, repeated_rows
from tests.unit.init.tables import NOISE, ROWS

RNG = np.random.default_rng(0)
TARGET = pd.Series((RNG.uniform(size=400) < 0.3).astype(float))


def leaks(**features: Any) -> dict[str, Any]:
    columns = {name: pd.Series(values) for name, values in features.items()}
    return find_leaks(columns, TARGET, "binary")


def test_rule_copy() -> None:
    found = leaks(same=TARGET, text=TARGET.map({0.0: "no", 1.0: "yes"}), noise=RNG.normal(size=400))
    assert {name: leak.rule for name, leak in found.items()} == {"same": "copy", "text": "copy"}
    assert all(leak.sure for leak in found.values())


@pytest.mark.parametrize("name", ["y_pred", "churn_proba", "prediction", "yhat", "Predicted_Value"])
def test_rule_score(name: str) -> None:
    assert leaks(**{name: RNG.normal(size=400)})[name].rule == "score"


def test_rule_score_is_no_part_of_another_word() -> None:
    assert leaks(predictability=RNG.normal(size=400), credit_score=RNG.normal(size=400)) == {}


def test_rule_known_after() -> None:
    refund = pd.Series(RNG.normal(size=400)).where(TARGET == 1)
    assert leaks(refund=refund)["refund"].rule == "known_after"


def test_rule_known_after_is_asked_where_only_some_rows_of_a_class_have_a_value() -> None:
    drawn = pd.Series(RNG.uniform(size=400))
    some = pd.Series(RNG.normal(size=400)).where((TARGET == 1) & (drawn < 0.6))
    few = pd.Series(RNG.normal(size=400)).where((TARGET == 1) & (drawn < 0.05))
    mixed = pd.Series(RNG.normal(size=400)).where(drawn < 0.6)
    found = leaks(some=some, few=few, mixed=mixed)
    assert list(found) == ["some"]
    assert (found["some"].rule, found["some"].sure) == ("known_after", False)


def test_rule_gives_away() -> None:
    away = TARGET + RNG.normal(0, 0.1, 400)
    good = TARGET + RNG.normal(0, 0.5, 400)
    found = leaks(away=away, good=good)
    assert list(found) == ["away"]
    assert not found["away"].sure
    assert find_leaks({"x": TARGET * 7.0}, TARGET, "regression")["x"].rule == "gives_away"
    classes = pd.Series(RNG.choice(["a", "b", "c"], 400))
    assert find_leaks({"x": classes.map({"a": "k", "b": "l", "c": "m"})}, classes, "multiclass")


def test_a_unique_column_is_no_copy_of_a_unique_number() -> None:
    target = pd.Series(RNG.normal(size=400))
    assert find_leaks({"x": pd.Series(RNG.normal(size=400))}, target, "regression") == {}


def test_rule_copies() -> None:
    one = pd.Series([1.0, None, 3.0])
    assert find_copies({"a": one, "b": one * 2, "c": one.copy()}) == {"c": "a"}


def test_rule_split() -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=400, freq="D", tz="UTC"))
    assert choose_split(days, TARGET, "binary", 1)[0] == {"by": "time", "test": "3 months"}
    assert choose_split(None, TARGET, "binary", 1)[0] == {"by": "random", "fraction": 0.2}
    even = pd.Series(pd.date_range("2024-01-01", periods=5, tz="UTC").repeat(80))
    assert choose_split(even, TARGET, "binary", 1)[0] == {"by": "time", "test": "1 day"}
    once = pd.Series([days[0]] * 400)
    assert "no stretch of time" in choose_split(once, TARGET, "binary", 1)[1]
    late = TARGET.where(days < pd.Timestamp("2024-11-01", tz="UTC"), 0.0)
    assert "lack a class" in choose_split(days, late, "binary", 1)[1]


@pytest.mark.parametrize(
    ("every", "test"),
    [("min", "1 hour"), ("s", "1 minute"), ("250ms", "20 seconds"), ("5min", "7 hours")],
)
def test_rule_split_is_by_time_however_short_the_series(every: str, test: str) -> None:
    moments = pd.Series(pd.date_range("2024-01-01", periods=400, freq=every, tz="UTC"))
    split, said = choose_split(moments, TARGET, "binary", 1)
    assert split == {"by": "time", "test": test}
    assert f"of the newest {test.removeprefix('1 ')}" in said


def table(rows: int, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"y": RNG.integers(0, 2, rows), **columns}).astype(str)


def test_rule_uniqueness_counts_rows_that_are_there_again() -> None:
    once = table(500, x=RNG.normal(size=500).round(8), k=RNG.integers(0, 3, 500))
    assert repeated_rows(once, "y") == 0
    assert repeated_rows(pd.concat([once] * 3, ignore_index=True), "y") == 1000
    assert repeated_rows(pd.concat([once, once.head(2)], ignore_index=True), "y") == 2


def test_rule_uniqueness_knows_what_repeats_by_chance() -> None:
    few = table(2000, a=RNG.integers(0, 3, 2000), b=RNG.integers(0, 4, 2000))
    assert repeated_rows(few, "y") == 0, "of 24 kinds of rows"
    age = RNG.integers(20, 80, 2000)
    assert repeated_rows(table(2000, age=age, born=2020 - age, next=age + 1), "y") == 0
    rare = (RNG.uniform(size=2000) < 0.03).astype(int)
    assert repeated_rows(table(2000, age=age, born=2020 - age, y=rare), "y") == 0


def test_a_category_gives_nothing_away_where_classes_alternate(infer: Any) -> None:
    kinds = ["a"] * (ROWS // 2) + ["b"] * (ROWS // 2)
    draft = infer({"x": NOISE, "kind": kinds, "y": [i % 2 for i in range(ROWS)]})
    assert draft.left_out == {}
