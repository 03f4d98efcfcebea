"""What a rehearsal refuses, and that each refusal says what options or the file can do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.cli.init.writing import rehearsed
from mlops_assets.errors import ConfigError
from mlops_assets.init.draft import Draft
from mlops_assets.init.plan import Wanted, plan
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.table import read_sample
from tests.unit.init.tables import LABEL, NOISE, ROWS, sound

Rehearse = Callable[..., Draft]
HOURS = pd.date_range("2024-01-01", periods=ROWS, freq="h")


@pytest.fixture
def rehearse(tmp_path: Path) -> Rehearse:
    def run(columns: dict[str, Any] | str, **options: str) -> Draft:
        data = columns
        if not isinstance(columns, str):
            data = str(tmp_path / "table.csv")
            pd.DataFrame(columns).to_csv(data, index=False)
        answers = Answers(options)
        table = read_sample(str(data), "y", answers)
        draft = plan(table, Wanted("mine", "y", 8103), answers)
        rehearsed(table, draft, tmp_path / "defs")
        return draft

    return run


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        (1, ["0", "1"], r"'y' is 1 in only 1 of 300 rows, none of which is held out to test by"),
        (2, ["no", "yes"], r"'y' is true in only 2 of 300 rows"),
        (2, ["kept", "churned"], r"'y' is 'churned' in only 2 of 300 rows"),
    ],
)
def test_a_class_too_rare_to_be_held_out_is_refused_by_its_rows(
    rehearse: Rehearse, rows: int, words: list[str], said: str
) -> None:
    x = np.random.default_rng(0).permutation(ROWS)  # which does not give the class away
    target = np.array(words, dtype=object)[(np.arange(ROWS) < rows).astype(int)]
    with pytest.raises(ConfigError, match=f"the target {said}.* at least: provide more of it"):
        rehearse({"x": x, "y": target}, suspects="yes")


def test_a_rare_class_of_several_is_trained_on(rehearse: Rehearse) -> None:
    target = np.where(np.arange(ROWS) == 7, "c", np.where(LABEL == 1, "a", "b"))
    draft = rehearse({"x": NOISE, "y": target}, classes="yes")
    assert draft.attributes["target"]["task"] == "multiclass"


def test_files_of_other_types_are_called_as_the_source_calls_them(
    rehearse: Rehearse, tmp_path: Path
) -> None:
    frame = pd.DataFrame(sound(id=np.arange(ROWS)))
    frame.astype({"id": str}).to_parquet(tmp_path / "1.parquet", index=False)
    frame.to_parquet(tmp_path / "2.parquet", index=False)
    with pytest.raises(ConfigError) as refused:
        rehearse(f"{tmp_path}/*.parquet", entity="id")
    assert f"{tmp_path}/1.parquet and its siblings differ in types" in str(refused.value)
    assert ".part" not in str(refused.value)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda n: "Z" if n % 2 else "+02:00",
        lambda n: "" if n % 7 == 3 else "Z",
        lambda n: "-05:00" if n == 8 else "Z",
    ],
)
def test_rule_moment_of_several_offsets_is_allowed_them(
    rehearse: Rehearse, spelled: Callable[[int], str]
) -> None:
    moments = [f"{at:%Y-%m-%dT%H:%M:%S}{spelled(n)}" for n, at in enumerate(HOURS)]
    draft = rehearse(sound(at=moments))
    assert draft.attributes["timestamp"] == "at"
    assert draft.attributes["contract"]["columns"]["at"]["offsets"] == "any"


def test_rule_moment_of_a_format_with_several_offsets(rehearse: Rehearse) -> None:
    moments = [f"{at:%d.%m.%Y %H:%M:%S} +0{n % 2}00" for n, at in enumerate(HOURS)]
    assert rehearse(sound(at=moments)).attributes["contract"]["columns"]["at"] == {
        "dtype": "datetime",
        "format": "%d.%m.%Y %H:%M:%S %z",
        "offsets": "any",
    }


def test_moments_to_come_are_a_date_and_no_timestamp(rehearse: Rehearse) -> None:
    soon = pd.Timestamp.now().normalize() - pd.Timedelta(days=30)
    at = pd.date_range(soon, periods=ROWS, freq="D").strftime("%Y-%m-%d")
    draft = rehearse(sound(at=at))
    assert "timestamp" not in draft.attributes
    assert draft.attributes["contract"]["columns"]["at"]["future"] == "allow"
    with pytest.raises(ConfigError, match=r"is after now.*, or say --time none\.$"):
        rehearse(sound(at=at), time="at")


def test_rule_unread_moment_of_24_o_clock_names_one(rehearse: Rehearse) -> None:
    at = [
        f"{one:%Y-%m-%d} " + ("24:00" if n % 4 == 1 else f"{one:%H:%M}")
        for n, one in enumerate(HOURS)
    ]
    draft = rehearse(sound(ts=at))
    assert "timestamp" not in draft.attributes
    assert "'2024-01-01 24:00'; to use it write ISO 8601" in draft.left_out["ts"]


def test_rows_that_break_what_was_inferred_name_the_option(rehearse: Rehearse) -> None:
    ids = ["" if n % 10 == 0 else str(n) for n in range(ROWS)]
    with pytest.raises(ConfigError, match=r"or say --entity none --drop 'id'\.$"):
        rehearse(sound(id=ids), entity="id")


@pytest.mark.parametrize("step", [1, 37])
def test_rule_entity_with_a_gap_is_left_out_and_no_feature(rehearse: Rehearse, step: int) -> None:
    ids = [str(n * step % 1009) if n != 5 else "" for n in range(ROWS)]
    draft = rehearse(sound(id=ids))
    assert "entity" not in draft.attributes
    assert draft.attributes["features"]["columns"] == ["x"]
    assert draft.left_out["id"].startswith("an id that 1 row has none of")
    assert rehearse(sound(id=ids), entity="id").attributes["entity"]["name"] == "id"


@pytest.mark.parametrize("form", ["{:.4f}", "{:.3e}", "{:.1f} %", "{:.0f}"])
def test_rule_number_with_the_minus_of_typesetters(rehearse: Rehearse, form: str) -> None:
    texts = [form.format(100 * one).replace("-", "\u2212") for one in NOISE]
    draft = rehearse({"x": texts, "y": LABEL})
    assert draft.attributes["features"]["columns"] == ["x"]
    assert draft.attributes["contract"]["columns"]["x"]["min"] < 0
