"""`mlops init` as it is typed: what it writes, says and refuses, and that nothing is half."""

import json
import os
import re
import shlex
import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from mlops_assets.cli.facts.checks import python_faults
from mlops_assets.cli.main import main
from mlops_assets.components.editor_schema import schema_text
from mlops_assets.components.model_files import read_parts
from mlops_assets.home import FRAMEWORK_ROOT
from tests.support.tables.workbooks import write_workbook

RNG = np.random.default_rng(2)
ROWS = 600


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my shop"
    folder.mkdir()
    (folder / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(folder))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    return folder


def write(file: Path, signal: float = 2.0, **columns: object) -> Path:
    x = RNG.normal(size=ROWS).round(3)
    frame = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "asked_at": pd.date_range("2024-01-01", periods=ROWS, freq="6h").strftime(
                "%Y-%m-%d %H:%M:%S"
            ),
            "x": x,
            **columns,
            "y": (RNG.uniform(size=ROWS) < 1 / (1 + np.exp(-signal * x))).astype(int),
        }
    )
    frame.to_csv(file, index=False)
    return file


def attributes(file: Path) -> dict[str, object]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))["attributes"]


def test_what_is_written_is_sound_and_said_with_its_lines(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    file = project / "defs" / "loans" / "defs.yaml"
    said = capsys.readouterr().out
    lines = file.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines, 1) if line.startswith("  timestamp:"))
    assert f"defs.yaml:{at}: timestamp: asked_at: 2024-01-01 to 2024-05-29" in said
    assert attributes(file)["source"] == {"uri": "loans.csv"}, "within the project: relative"
    assert lines[1].startswith("# Written by `mlops init loans.csv --target y`: all 600 rows")
    (part,) = read_parts(project / "defs")
    assert part.faults == ()
    assert list(python_faults(part.models[0])) == []
    assert [path.name for path in (project / "defs").iterdir()] == ["loans"]


def test_a_table_without_ids_is_said_with_the_option_that_names_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv", id=RNG.integers(0, 90, ROWS), asked_at=1)
    assert main(["init", "loans.csv", "--target", "y", "--entity", "none"]) == 0
    assert "\nentity: none; name one by --entity COLUMN\n" in capsys.readouterr().out
    said = "entity: of each only the last row is answered by id; name --time, or another --entity"
    assert main(["init", "loans.csv", "--target", "y", "--name", "by_id"]) == 0
    assert f"\n{said}\n" in capsys.readouterr().out
    assert f"# {said}\n" in (project / "defs" / "by_id" / "defs.yaml").read_text(encoding="utf-8")


def test_editors_know_what_is_written_by_the_schema_of_its_first_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    file = project / "defs" / "loans" / "defs.yaml"
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../../mlops.schema.json"
    schema = (file.parent / first.partition("=")[2]).resolve()
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert list(validator.iter_errors(document)) == []
    document["attributes"]["target"]["tusk"] = document["attributes"].pop("name")
    said = " ".join(fault.message for fault in validator.iter_errors(document))
    assert "tusk" in said
    assert "'name' is a required property" in said

    schema.write_text("as of an earlier version", encoding="utf-8")
    capsys.readouterr()
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == f"{schema}: written\n"
    assert schema.read_text(encoding="utf-8") == schema_text(project / "defs")


@pytest.mark.parametrize("example", ["customers", "flights"])
def test_the_schema_for_editors_knows_the_examples(example: str) -> None:
    schema = json.loads(schema_text(FRAMEWORK_ROOT / "mlops_assets" / "defs"))
    Draft202012Validator.check_schema(schema)
    text = (FRAMEWORK_ROOT / "mlops_assets" / "defs" / example / "defs.yaml").read_text("utf-8")
    Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_rule_gate_is_what_a_rehearsal_reached(project: Path) -> None:
    write(project / "loans.csv")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    text = (project / "defs" / "loans" / "defs.yaml").read_text(encoding="utf-8")
    limits = yaml.safe_load(text)["attributes"]["evaluation"]["gate"]["limits"]
    assert 0.55 < limits["roc_auc"]["min"] < 0.8
    assert 0.5 < limits["log_loss"]["max"] < 0.69
    assert "# a rehearsal reached 0." in text


def test_rule_gate_has_no_limits_over_noise(project: Path) -> None:
    write(project / "noise.csv", signal=0.0)
    assert main(["init", "noise.csv", "--target", "y"]) == 0
    written = attributes(project / "defs" / "noise" / "defs.yaml")
    assert written["evaluation"] == {
        "primary": "roc_auc",
        "gate": {"against_champion": "non_inferior"},
    }


def test_a_page_of_every_column_opens_without_a_network(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv", Größe=[f"{i} kg" for i in range(ROWS)])
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    page = project / "defs" / "loans" / "profile.html"
    assert f"{page}: a page of every column, with values" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "Größe" in text
    assert page.with_name(".gitignore").read_text() == "/profile.html\n", "it holds their values"
    assert "loans: all 600 rows" in text
    assert re.findall(r"""(?:src|<link[^>]+href|url\()\s*=?\s*["']?https?:""", text) == []
    assert len(text) < 2_000_000


def test_without_the_extra_the_page_is_left_out_and_said_so(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skrub", None)
    write(project / "loans.csv")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    assert "pip install 'mlops-assets[profile]'" in capsys.readouterr().out
    assert [file.name for file in (project / "defs" / "loans").iterdir()] == ["defs.yaml"]


def test_a_workbook_is_rehearsed_and_written(project: Path) -> None:
    frame = pd.read_csv(write(project / "loans.csv"))
    (project / "loans.csv").unlink()
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    sheet = [["Loans"], list(frame.columns), *rows]
    write_workbook(project / "loans.xlsx", {"Notes": [["none"]], "Loans": sheet})
    assert main(["init", "loans.xlsx", "--target", "y"]) == 0
    written = attributes(project / "defs" / "loans" / "defs.yaml")
    assert written["source"] == {
        "uri": "loans.xlsx", "format": "excel", "sheet": "Loans", "skip_rows": 1
    }  # fmt: skip
    text = (project / "defs" / "loans" / "defs.yaml").read_text(encoding="utf-8")
    assert "Rehearsed on them" in text


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_moments_since_1970_and_money_are_read_of_any_format(project: Path, kind: str) -> None:
    frame = pd.read_csv(write(project / "loans.csv"))
    since = pd.to_datetime(frame.pop("asked_at"), utc=True).astype("int64") // 10**6
    frame = frame.assign(asked_at=since, price=[f"$1,{i:03d}.25" for i in range(ROWS)])
    writers = {
        "csv": lambda file: frame.to_csv(file, index=False),
        "jsonl": lambda file: frame.to_json(file, orient="records", lines=True),
        "parquet": lambda file: frame.to_parquet(file, index=False),
    }
    writers[kind](project / f"sales.{kind}")
    assert main(["init", f"sales.{kind}", "--target", "y"]) == 0
    written: Any = attributes(project / "defs" / "sales" / "defs.yaml")
    assert written["timestamp"] == "asked_at"
    columns = written["contract"]["columns"]
    assert columns["asked_at"] == {"dtype": "datetime", "unit": "ms"}
    assert (columns["price"]["unit"], columns["price"]["thousands"]) == ("$", ",")
    assert "price" in written["features"]["columns"]


@pytest.mark.parametrize("others", [0, 70])
def test_rule_too_good_names_the_feature_that_it_is_owed_to(
    project: Path, capsys: pytest.CaptureFixture[str], others: int
) -> None:
    first, second = RNG.normal(size=(2, ROWS)).round(3)
    noise = {f"noise_{i}": RNG.normal(size=ROWS).round(3) for i in range(others)}
    write(project / "loans.csv", first=first, second=second, **noise)
    frame = pd.read_csv(project / "loans.csv").assign(y=(first + 0.2 * second > 0).astype(int))
    frame.to_csv(project / "loans.csv", index=False)
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    assert "likely a leak by 'first'" in capsys.readouterr().out
    text = (project / "defs" / "loans" / "defs.yaml").read_text(encoding="utf-8")
    assert "of 1, which is likely a leak by 'first'" in text


def test_rule_too_good_names_the_column_of_a_date(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(write(project / "loans.csv"))
    days = np.where(frame["y"] == 1, RNG.integers(10, 20, ROWS), RNG.integers(1, 9, ROWS) * 5)
    days = np.where((frame["y"] == 0) & (days >= 10) & (days < 20), 30, days)
    seen = pd.to_datetime(frame["asked_at"]) - pd.to_timedelta(days, unit="D")
    frame.assign(seen=seen.dt.strftime("%Y-%m-%d")).to_csv(project / "loans.csv", index=False)
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    assert "likely a leak by 'seen'; leave it out" in capsys.readouterr().out


@pytest.mark.parametrize(("noise", "is_said"), [(0.05, True), (0.2, False)])
def test_rule_too_good_of_a_regression_is_by_r2(
    project: Path, capsys: pytest.CaptureFixture[str], noise: float, is_said: bool
) -> None:
    x = RNG.normal(size=ROWS)
    frame = pd.DataFrame({"z": RNG.normal(size=ROWS), "x": x, "y": x + RNG.normal(0, noise, ROWS)})
    frame.to_csv(project / "loans.csv", index=False)
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    assert ("likely a leak by 'x'" in capsys.readouterr().out) == is_said


def test_rule_too_good_is_not_said_of_what_is_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    assert "likely a leak" not in capsys.readouterr().out


def test_rule_parquet_leaves_out_times_of_day_and_durations(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(write(project / "loans.csv"))
    lasted = pd.to_timedelta(RNG.integers(1, 99, ROWS), unit="m")
    at = pd.to_datetime(frame["asked_at"]).dt.time
    frame.assign(lasted=lasted, at=at).to_parquet(project / "loans.parquet")
    assert main(["init", "loans.parquet", "--target", "y"]) == 0
    said = capsys.readouterr().out
    assert "left out: at: time64[us] is no column of moments; write it as a number" in said
    assert "left out: lasted: duration[ns] is no column of moments" in said


def test_rule_port_is_the_next_that_is_free(project: Path) -> None:
    write(project / "a.csv")
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert taken >= 1024
        ports = []
        for name in ("a", "b", "c"):
            assert main(["init", "a.csv", "--target", "y", "--name", name]) == 0
            written = attributes(project / "defs" / name / "defs.yaml")
            ports.append(written["deployment"]["port"])  # type: ignore[index]
    assert len(set(ports)) == 3
    assert min(ports) >= 8103


def test_rule_port_of_another_model_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "a.csv")
    init = ["init", "a.csv", "--target", "y", "--port", "18471", "--name"]
    assert main([*init, "a"]) == 0
    line = next(
        one
        for one in (project / "defs" / "a" / "defs.yaml").read_text().splitlines()
        if "port: 18471" in one
    )
    assert line.endswith("# what --port says")
    capsys.readouterr()
    assert main([*init, "b"]) == 1
    assert "--port 18471: the model 'a' has it; give another" in capsys.readouterr().err
    assert not (project / "defs" / "b").exists()


def test_a_model_is_never_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project / "loans.csv")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    before = (project / "defs" / "loans" / "defs.yaml").read_bytes()
    assert main(["init", "loans.csv", "--target", "x"]) == 1
    assert "there is a model 'loans' already; choose another --name" in capsys.readouterr().err
    assert (project / "defs" / "loans" / "defs.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no.csv", "--target", "y"], 1, "there is no file"),
        (["loans.csv", "--target", "z"], 1, "--target 'z': no column of"),
        (["loans.csv", "--target", "y", "--name", "My-Loans"], 1, "e.g. 'my_loans'"),
        (["loans.csv", "--target", "why"], 2, "--positive 'M' or another, or --yes"),
        (["loans.csv", "--target", "id", "--drop", "x,y,why,kind"], 1, "no column is left"),
        (["loans.csv", "--target", "y", "--port", "x"], 1, "--port 'x' is no port"),
        (["loans.csv", "--target", "y", "--port", "80"], 1, "give a number from 1024 to 65535"),
        (["loans.csv", "--target", "y", "--port", "99999"], 1, "--port '99999' is no port"),
        (["loans.csv", "--target", "y", "--drop", "whi"], 1, "--drop 'whi': no column of"),
        (["loans.csv", "--target", "y", "--drop", "whi"], 1, "did you mean 'why'"),
        (["loans.csv", "--target", "y", "--drop", "y"], 1, "--drop 'y' is the target"),
        (["loans.csv", "--target", "y", "--keep", "whi"], 1, "--keep 'whi': no column of"),
        (["loans.csv", "--target", "y", "--epochs", "whi"], 1, "--epochs 'whi': no column of"),
        (["loans.csv", "--target", "y", "--epochs", "x"], 1, "--epochs 'x' does not count time"),
        (["loans.csv", "--target", "y", "--sheet", "A"], 1, "--sheet 'A' is of a workbook"),
        (["loans.csv", "--target", "y", "--positive", "banana"], 1, "'banana' is none of ['"),
        (["loans.csv", "--target", "kind", "--positive", "a"], 1, "of a target of two values"),
        (["s3://bucket/loans.csv", "--target", "y"], 1, "cannot be read"),
    ],
)
def test_what_is_refused_is_one_sentence_and_leaves_nothing(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    why = np.where(RNG.uniform(size=ROWS) < 0.4, "M", "B")
    write(project / "loans.csv", why=why, kind=np.array(["a", "b", "c"])[np.arange(ROWS) % 3])
    assert main(["init", *arguments]) == code
    output = capsys.readouterr()
    assert said in output.err
    assert output.err.count("\n") == 1
    assert not (project / "defs").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("decimal", ";"), ("dates", "foo"), ("suspects", "foo"), ("shape", "foo")),
        *(("encoding", "foo-8"), ("encoding", "hex"), ("task", "foo"), ("classes", "foo")),
    ],
)
def test_a_value_that_an_option_does_not_know_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    write(project / "loans.csv")
    with pytest.raises(SystemExit) as ended:
        main(["init", "loans.csv", "--target", "y", f"--{option}", value])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"--{option}: " in said
    assert repr(value) in said
    assert not (project / "defs").exists()


@pytest.mark.parametrize(
    ("labels", "given", "positive"),
    [((0, 1), "0", 0), (("no", "yes"), "No", False), ((0, 1), "1", None), ((1, 2), "1.0", 1)],
)
def test_the_positive_class_that_is_given_is_taken(
    project: Path, labels: tuple[object, object], given: str, positive: object
) -> None:
    frame = pd.read_csv(write(project / "loans.csv"))
    frame.assign(y=[labels[y] for y in frame["y"]]).to_csv(project / "loans.csv", index=False)
    assert main(["init", "loans.csv", "--target", "y", "--positive", given]) == 0
    written: Any = attributes(project / "defs" / "loans" / "defs.yaml")
    assert written["target"].get("positive") == positive
    assert type(written["target"].get("positive")) is type(positive)


def test_what_is_likely_is_taken_by_yes(project: Path) -> None:
    write(project / "loans.csv", why=np.where(RNG.uniform(size=ROWS) < 0.4, "M", "B"))
    assert main(["init", "loans.csv", "--target", "why", "--drop", "y", "--yes"]) == 0
    written = attributes(project / "defs" / "loans" / "defs.yaml")
    assert written["target"] == {"name": "why", "task": "binary", "positive": "M"}


def test_a_folder_that_cannot_be_written_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv")
    (project / "defs").write_text("in the way")
    assert main(["init", "loans.csv", "--target", "y"]) == 1
    assert "StateError: cannot write" in capsys.readouterr().err


def test_a_template_in_the_data_is_never_filled_in(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"{{ env.HOME }}": RNG.normal(size=ROWS)}
    write(project / "loans.csv", **columns)
    assert main(["init", "loans.csv", "--target", "y"]) == 1
    error = capsys.readouterr().err
    assert "template" in error
    assert os.environ["HOME"] not in error.replace(str(project), "")


def test_what_is_written_was_rehearsed_over_the_defaults_of_the_project(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "loans.csv")
    defaults = project / "defs" / "defaults.yaml"
    defaults.parent.mkdir(exist_ok=True)
    defaults.write_text("training: {seed: 7, sed: 8}\n", encoding="utf-8")
    assert main(["init", "loans.csv", "--target", "y"]) == 1
    assert "training.sed: Extra inputs are not permitted" in capsys.readouterr().err
    defaults.write_text("training: {seed: 7}\nowners: ['team:credit']\n", encoding="utf-8")
    assert main(["init", "loans.csv", "--target", "y"]) == 0
    (part,) = read_parts(project / "defs")
    assert part.models[0].settings.training.seed == 7
    assert part.models[0].settings.owners == ("team:credit",)


def test_a_folder_without_a_project_becomes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for whoever uses a checkout of the framework from there: its models stay as they are."""
    monkeypatch.setenv("MLOPS_PROJECT", "")
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "my shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = sorted((FRAMEWORK_ROOT / "mlops_assets" / "defs").iterdir())
    assert main(["init", str(write(folder / "loans.csv")), "--target", "y"]) == 0
    assert (folder / "mlops.yaml").is_file()
    assert (folder / "defs" / "loans" / "defs.yaml").is_file()
    assert sorted((FRAMEWORK_ROOT / "mlops_assets" / "defs").iterdir()) == before


def test_the_first_line_is_the_command_that_writes_it_again(project: Path) -> None:
    with closing(sqlite3.connect(project / "shop.db")) as connection:
        pd.read_csv(write(project / "loans.csv")).to_sql("all loans", connection, index=False)
        connection.commit()
    query = 'select * from "all loans"'
    given = ["--query", query, "--name", "shop"]
    assert main(["init", "sqlite:///shop.db", "--target", "y", *given]) == 0
    file = project / "defs" / "shop" / "defs.yaml"
    (first,) = re.findall(r"Written by `(.*)`:", file.read_text(encoding="utf-8"))
    shutil.rmtree(file.parent)
    program, *again = shlex.split(first)
    assert (program, again[4:]) == ("mlops", ["--name", "shop", "--query", query])
    assert main(again) == 0
    assert file.exists()
