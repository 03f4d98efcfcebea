"""`--missing` of one column, and lines and values that a message names."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.errors import ConfigError, SourceError
from mlops_assets.init.plan import Wanted, plan
from mlops_assets.init.questions import Answers, UndecidedError
from mlops_assets.init.reading.column import Column
from mlops_assets.init.reading.missing import missing_texts
from mlops_assets.init.reading.table import read_sample
from mlops_assets.init.roles import find_column
from tests.unit.init.tables import ROWS, sound
from tests.unit.init.test_columns import column

COLUMNS = {
    "Age (y)": column([-999, 20, 30, 40, 50, 60, -999, -999] * 5).texts,
    "debt": column([-999, 1, 2, 3, 4, 5, -999, -999] * 5).texts,
    "kind": column(["?", "a", "b", "c", "d", "e", "f", "g"] * 5).texts,
}


def test_a_text_of_one_column_leaves_the_others_to_be_looked_at() -> None:
    given = "Age (y)=-999,debt=none"
    assert missing_texts(COLUMNS, Answers({"missing": given})) == (
        ["?"],
        {"Age (y)": ["-999"], "debt": []},
    )
    by_name = {"missing": "age_y=-999"}
    assert missing_texts(COLUMNS, Answers(by_name, likely=True)).of["Age (y)"] == ["-999"]
    with pytest.raises(UndecidedError, match=r"'debt'.*for one column debt=TEXT"):
        missing_texts(COLUMNS, Answers(by_name))


def test_texts_of_all_columns_stand_beside_those_of_one() -> None:
    assert missing_texts(COLUMNS, Answers({"missing": "?,debt=-999"})) == (
        ["?"],
        {"debt": ["-999"]},
    )
    assert missing_texts(COLUMNS, Answers({"missing": "x=1"})) == (["x=1"], {}), "no column x"


def test_a_number_is_meant_however_it_is_written() -> None:
    columns = {
        "debt": column(["-999.0", "-999", "-999.5", "-9990", None, "1"] * 5).texts,
        "plz": column(["00999", "-999,00", "999"] * 5).texts,
    }
    assert missing_texts(columns, Answers({"missing": "debt=-999"})).of["debt"] == [
        "-999",
        "-999.0",
    ]
    every = missing_texts(columns, Answers({"missing": "-999.0"})).everywhere
    assert every == ["-999.0", "-999", "-999,00"]
    mixed = {"debt": column([-999, "-999.0", 1, 2, 3, 4, 5] * 5).texts}
    assert set(missing_texts(mixed, Answers(likely=True)).everywhere) == {"-999", "-999.0"}


def test_a_line_of_json_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n\n{"a": 1,}\n')
    with pytest.raises(SourceError, match=r"a.jsonl: line 3: .* is no JSON \(.*char") as said:
        read_sample(str(file), "a", Answers())
    assert "line 1" not in str(said.value)


COUNTRIES = "DE AT CH FR IT ES PT NL BE LU DK SE NO FI PL CZ SK HU RO BG ZA BW NA"
STATES = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA NA"
CONTINENTS = "AF AS EU OC SA NA"


def coded(codes: str) -> list[str]:
    return [codes.split()[n % len(codes.split())] for n in range(ROWS)]


@pytest.mark.parametrize("codes", [COUNTRIES, CONTINENTS], ids=["countries", "continents"])
@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_rule_na_code(infer: Any, tmp_path: Path, codes: str, source: str) -> None:
    size = [None if n % 7 == 0 else n for n in range(ROWS)]
    table = sound(country=coded(codes), size=size, kind=coded("a b n/a"))
    if source == "parquet":
        kept = {**table, "size": ["NA" if one is None else str(one) for one in size]}
        pd.DataFrame(kept).to_parquet(tmp_path / "table.parquet")
        read = read_sample(str(tmp_path / "table.parquet"), "y", Answers())
        draft = plan(read, Wanted("mine", "y", 8103), Answers())
    else:
        draft = infer({**table, "size": ["NA" if one is None else one for one in size]})
    columns = draft.attributes["contract"]["columns"]
    assert "nullable" not in columns["country"]
    assert "missing" not in columns["country"]
    assert (columns["size"]["missing"], columns["size"]["nullable"]) == (["NA"], True)
    assert columns["kind"]["nullable"]
    (said,) = [one for one in draft.decisions if one.place == "contract.columns.country"]
    assert said.likely
    assert said.told
    assert said.said.endswith("; 'NA' is one of its codes, or say --missing 'country=NA'")


def test_rule_na_code_is_none_where_a_person_says_so_or_among_states(infer: Any) -> None:
    said = infer(sound(country=coded(COUNTRIES)), missing="country=NA")
    assert said.attributes["contract"]["columns"]["country"]["missing"] == ["NA"]
    (told,) = [one for one in said.decisions if one.place == "contract.columns.country"]
    assert not told.likely
    for others in (STATES, "DE AT CH NA", "EMEA APAC LATAM NA"):
        draft = infer(sound(country=coded(others)))
        assert draft.attributes["source"]["missing"] == ["", "NA"], others


def test_rule_missing_is_nothing_in_a_column_of_which_a_person_says_none(infer: Any) -> None:
    regions = coded("EMEA APAC LATAM NA")
    draft = infer(sound(region=regions, kind=coded("a NA")), missing="region=none")
    columns = draft.attributes["contract"]["columns"]
    assert columns["region"]["allowed"] == ["APAC", "EMEA", "LATAM", "NA"]
    assert columns["kind"]["missing"] == ["NA"]
    assert "missing" not in draft.attributes["source"]


def kinds(name: str, *values: str) -> Column:
    return column(list(values) * 4, source=name)


def test_a_kind_of_event_that_is_none_is_said_with_those_there_are() -> None:
    columns = {"event": kinds("event", "buy", "view")}
    with pytest.raises(ConfigError, match=r"'event' has no value 'bye', but .*did you mean 'buy'"):
        find_column("event=bye", columns, "target")
    with pytest.raises(ConfigError, match=r"ids that recur.*--target 'event' --positive 'buy'"):
        find_column("event=buy", columns, "target")
    with pytest.raises(ConfigError, match=r"no column of \['event'\]"):
        find_column("what=buy", columns, "target")
