"""What may be a slip of the table: a rare value of the target, a moment far from all others."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import ConfigError
from mlops_assets.init.doubts.classes import find_slips
from mlops_assets.init.questions import UndecidedError
from tests.unit.init.tables import LABEL, NOISE, ROWS, sound

SECONDS = 1_700_000_000 + np.arange(ROWS) * 90_001


@pytest.mark.parametrize(
    ("counts", "slips"),
    [
        ({"Yes": 470, "No": 329, "Yess": 1}, {"Yess": "Yes"}),
        ({"bad": 340, "good": 258, "good ": 1, "Bad": 1}, {"good ": "good", "Bad": "bad"}),
        ({"1": 322, "0": 276, "01": 1, "1.0": 1}, {"01": "1", "1.0": "1"}),
        ({"1": 470, "0": 329, "9": 1}, {"9": ""}),
        ({"true": 90, "maybe": 90, "ture": 1}, {"ture": "true"}),
        ({"good": 90, "Good": 1}, {"Good": "good"}),
        ({"ok": 4000, "nok": 2}, {}),  # of two, a letter tells them apart
        ({"0": 2997, "1": 3}, {}),
        ({"red": 90, "green": 90, "blue": 90, "grey": 2}, {}),
        ({"type1": 400, "type2": 400, "type3": 400, "type4": 2}, {}),
        ({"A": 40, "B": 30, "C": 2}, {}),
    ],
)
def test_rule_slip_is_rare_and_like_another_class_or_beside_two(
    counts: dict[str, int], slips: dict[str, str]
) -> None:
    assert find_slips(counts) == slips


def test_rule_slip_is_asked_and_is_no_sure_class(infer: Any) -> None:
    values = np.where(LABEL, "Yes", "No").astype(object)
    values[7] = "Yess"
    table = {"x": NOISE, "y": values}
    said = r"'Yess' in 1 of 300 rows, beside '(Yes|No)' in \d+: is that a class .*--missing 'Yess'"
    with pytest.raises(UndecidedError, match=said):
        infer(table)
    with pytest.raises(ConfigError, match="no class; correct the source, or say --missing 'Yess'"):
        infer(table, classes="no")
    assert infer(table, classes="yes").attributes["target"]["task"] == "multiclass"
    assert infer(table, missing="Yess").attributes["target"] == {
        "name": "y", "task": "binary", "missing": "unlabelled"
    }  # fmt: skip


def told(draft: Any, place: str) -> str:
    (one,) = [one for one in draft.decisions if one.place == place]
    assert one.likely
    assert one.told
    return one.said


@pytest.mark.parametrize("odd", [0, 1_700_000, SECONDS[5] // 1000])
def test_rule_far_moment_is_said_and_not_sure(infer: Any, odd: int) -> None:
    values = SECONDS.copy()
    values[3] = odd
    said = told(infer(sound(created_at=values)), "timestamp")
    assert f"1, e.g. '{odd}', 54 years away from all others" in said
    assert f"--missing '{odd}'" in said


def test_rule_far_moment_of_a_date(infer: Any) -> None:
    days = pd.Series(pd.date_range("2022-01-01", periods=ROWS).strftime("%Y-%m-%d"))
    assert not infer(sound(created_at=days)).decisions[1].likely
    far = days.where(days.index >= 4, "1900-01-01")
    said = told(infer(sound(created_at=far)), "timestamp")
    assert "4, e.g. '1900-01-01', 122 years away" in said


@pytest.mark.parametrize("odd", [-1, 7])
def test_rule_nearly_epoch_is_a_number_in_doubt(infer: Any, odd: int) -> None:
    values = SECONDS.copy()
    values[:6] = odd
    said = told(infer(sound(created_at=values)), "contract.columns.created_at")
    assert said.startswith(f"seconds since 1970 but for 6, e.g. '{odd}', so numbers")
    with pytest.raises(ConfigError, match=r"--epochs 'created_at' does not count time.*but for 6"):
        infer(sound(created_at=values), epochs="created_at")


def test_rule_nearly_epoch_of_two_units_is_left_out(infer: Any) -> None:
    mixed = np.where(np.arange(ROWS) % 5, SECONDS * 1000, SECONDS)
    why = infer(sound(created_at=mixed)).left_out["created_at"]
    assert why.startswith("mixes seconds and milliseconds since 1970, e.g. '1700000000' and '17")
    with pytest.raises(ConfigError, match=r"--epochs 'created_at' does not count.*mixes seconds"):
        infer(sound(created_at=mixed), epochs="created_at")


def test_a_column_is_dropped_by_its_own_name_first(infer: Any) -> None:
    table = sound(**{"User Name": NOISE[::-1], "user_name": NOISE**2})
    draft = infer(table, drop="user_name")
    assert draft.left_out == {"user_name": "left out by --drop"}
    assert draft.attributes["features"]["columns"] == ["x", "user_name_2"]
    assert list(infer(table, drop="user_name_2").left_out) == ["User Name"]
