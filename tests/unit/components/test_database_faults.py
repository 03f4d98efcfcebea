"""What `mlops check` says of a source that is a database, in the line where it stands."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.cli.facts.checks import LookedAt, look_at_source, promised_in_vain
from mlops_assets.cli.facts.doctor import sources
from mlops_assets.cli.facts.sql import written
from mlops_assets.components.model_files import Part, read_parts
from mlops_assets.errors import FaultyModelError
from tests.support.tables.yaml_faults import SOUND

COLUMNS = "id int, time text, amount real, grade text, label int"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"create table loans ({COLUMNS})")
        connection.execute("create table other (id int)")
    monkeypatch.setenv("SHOP_DB", f"sqlite:///{file}")
    return f"sqlite:///{file}"


def part(folder: Path, source: str) -> Part:
    (folder / "defs" / "loans").mkdir(parents=True)
    text = SOUND.replace("uri: loans.csv", source)
    (folder / "defs" / "loans" / "defs.yaml").write_text(text)
    (read,) = read_parts(folder / "defs")
    return read


def test_a_sound_table_has_no_fault(shop: str, tmp_path: Path) -> None:
    (model,) = part(tmp_path, f"database: {shop}, table: loans").models
    assert look_at_source(model) == LookedAt([], [])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("database: env:NO_SUCH, table: loans", "the variable NO_SUCH is not set; set it"),
        ("database: 'nosuch://h/d', table: loans", "which is not installed; pip install nosuch"),
        ("database: 'sqlite:////no/such.db', table: loans", "/no/such.db: there is no such file"),
        ("database: 'postgresql://127.0.0.1:9/d', table: loans", "does not answer: connection to"),
        ("database: 'POSTGRESQL://127.0.0.1:9/d', table: loans", "does not answer: connection to"),
    ],
)
def test_what_may_be_there_elsewhere_is_a_note(
    shop: str, tmp_path: Path, source: str, said: str
) -> None:
    (model,) = part(tmp_path, source).models
    faults, (note,) = look_at_source(model)
    assert not faults
    assert note.line == 5
    assert said in str(note)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("table: loan", "has no table loan; did you mean 'loans'?"),
        ("table: other", "the columns ['time', 'amount', 'grade', 'label'] are missing"),
        ("query: select nope from loans", "no such column: nope; correct"),
        (
            "table: loans, watch: [select 1 from nope]",
            "no such table: nope; correct the address or `source.watch`",
        ),
    ],
)
def test_what_the_database_says_is_a_fault(
    shop: str, tmp_path: Path, source: str, said: str
) -> None:
    (model,) = part(tmp_path, f"database: env:SHOP_DB, {source}").models
    (fault,), notes = look_at_source(model)
    assert not notes
    assert fault.line == 5
    assert said in str(fault)


def test_the_doctor_says_it_too(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part(tmp_path, "database: 'postgresql://127.0.0.1:9/d', table: loans")
    (tmp_path / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path))
    (found,) = sources()
    assert not found.good
    assert found.said.startswith("loans: ")
    assert "does not answer" in found.said
    assert found.remedy == "start it, or correct the address"


def test_rows_in_memory_all_the_same_are_a_note(tmp_path: Path) -> None:
    text = SOUND.replace("sklearn.linear_model.LogisticRegression", "xgboost.XGBClassifier")
    text = text.replace("    split:", "    external_memory: true\n    split:")
    folder = tmp_path / "defs" / "loans"
    folder.mkdir(parents=True)
    for more, notes in (("", 0), ("  partitions: {cadence: month, start: 2024-01-01}\n", 1)):
        (folder / "defs.yaml").write_text(text + more)
        ((model,),) = ((*part.models,) for part in read_parts(tmp_path / "defs"))
        found = [*promised_in_vain(model)]
        assert len(found) == notes
        assert all("a frame in memory all the same; leave out" in str(note) for note in found)


def test_a_delimiter_that_delimits_nothing_is_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "defs" / "loans"
    folder.mkdir(parents=True)
    for more, said in ((", format: whitespace, delimiter: ','", 1), (", delimiter: ','", 0)):
        (folder / "defs.yaml").write_text(
            SOUND.replace("{uri: loans.csv", "{uri: loans.csv" + more)
        )
        ((model,),) = ((*part.models,) for part in read_parts(tmp_path / "defs"))
        notes = [str(note) for note in promised_in_vain(model)]
        assert len(notes) == said
        assert all("source.delimiter: format whitespace has none; remove it" in n for n in notes)


@pytest.mark.parametrize(
    "address", ["postgresql://ada:s3cret@h/d", "{{ env.SHOP_DB }}", "mssql://h/d?password=s3cret"]
)
def test_a_password_in_the_yaml_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SHOP_DB", "postgresql://ada:s3cret@h/d")
    (fault,) = part(tmp_path, f"database: '{address}', table: loans").faults
    assert "source.database: the address holds a password; put it into a variable" in str(fault)
    assert "s3cret" not in str(fault)


def test_a_port_that_another_model_wants_keeps_no_query_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path))
    for name in ("a", "b"):
        (tmp_path / "defs" / name).mkdir(parents=True)
        text = SOUND.replace("name: loans", f"name: {name}")
        (tmp_path / "defs" / name / "defs.yaml").write_text(text)
    assert [written(name).name for name in ("a", "b")] == ["a", "b"]
    (tmp_path / "defs" / "b" / "defs.yaml").write_text(SOUND.replace("name: loans", "name: a"))
    with pytest.raises(FaultyModelError, match="is taken by the model a"):
        written("a")
