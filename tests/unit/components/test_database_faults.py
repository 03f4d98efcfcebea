"""What `mlops check` says of a source that is a database, in the line where it stands."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.cli.checks import LookedAt, look_at_source
from mlops_assets.components.model_files import Part, read_parts
from tests.support.yaml_faults import SOUND

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
        ("table: loans, watch: [select 1 from nope]", "no such table: nope; correct"),
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
