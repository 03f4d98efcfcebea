"""Tables from elsewhere: their sample, and the loader that is written for all of them."""

import functools
import http.server
import sqlite3
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import duckdb  # noqa: TID253
import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.cli.main import main
from mlops_assets.components.model_files import read_parts
from mlops_assets.init.doubts.addresses import require_no_secret
from mlops_assets.ml.data.reading import run_loader
from resources.databases.rows import deliver

ROWS = 400


def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.normal(size=ROWS).round(3)
    kind = pd.Series(rng.choice(["a", "b"], ROWS))
    frame = pd.DataFrame({"customer_id": np.arange(ROWS), "x": x, "Art": kind})
    frame["asked_at"] = pd.date_range("2024-01-01", periods=ROWS, freq="12h").strftime(
        "%Y-%m-%d %H:%M"
    )
    frame["left"] = np.where(rng.uniform(size=ROWS) < 1 / (1 + np.exp(-2 * x)), "yes", "no")
    return frame


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(folder))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "defs"]:
        monkeypatch.delitem(sys.modules, name)  # of another test's project
    return folder


@pytest.fixture
def address(tmp_path: Path) -> Generator[str]:
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def loaded(project: Path, name: str) -> pd.DataFrame:
    """What the written loader returns; the YAML names it and nothing else of the source."""
    text = (project / "defs" / name / "defs.yaml").read_text(encoding="utf-8")
    source = yaml.safe_load(text)["attributes"]["source"]
    assert source == {"loader": f"defs.{name}.loader.load"}
    namespace: dict[str, object] = {}
    code = (project / "defs" / name / "loader.py").read_text(encoding="utf-8")
    exec(compile(code, "loader.py", "exec"), namespace)
    return namespace["load"]()  # type: ignore[operator]


@pytest.mark.parametrize(
    "name", ["far.csv", "titled.csv", "far.csv.gz", "far.jsonl", "far.parquet"]
)
def test_an_address_is_sampled_and_loaded(
    project: Path, address: str, tmp_path: Path, name: str
) -> None:
    file, frame = tmp_path / "served" / name, table()
    if name.endswith("jsonl"):
        frame.to_json(file, orient="records", lines=True)
    elif name.endswith("parquet"):
        frame.to_parquet(file)
    else:
        frame.to_csv(file, index=False)
    if name == "titled.csv":
        file.write_text(f"Left, and who\n\n{file.read_text()}")
    assert main(["init", f"{address}/{name}", "--name", "far", "--target", "left"]) == 0
    assert loaded(project, "far").astype(str).equals(frame.astype(str))


def test_a_duckdb_file_is_asked(project: Path, tmp_path: Path) -> None:
    frame = table()
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("create table customers as select * from frame")
    query = ["--query", "select * from customers"]
    assert main(["init", str(tmp_path / "shop.duckdb"), "--target", "left", *query]) == 0
    assert loaded(project, "shop").shape == frame.shape


def test_a_database_is_asked_and_its_password_stays_outside(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        table().to_sql("All customers", connection, index=False)
    connection.close()
    monkeypatch.setenv("SHOP_DB", url)
    query = 'select * from "All customers" order by customer_id'
    for name, asked in (("asked", {"query": query}), ("whole", {"table": "All customers"})):
        options = [word for key, said in asked.items() for word in (f"--{key}", said)]
        init = ["init", "env:SHOP_DB", "--name", name, "--target", "left", *options]
        assert main(init) == 0
        (part,) = [one for one in read_parts(project / "defs") if name in one.names]
        source, contract = part.models[0].settings.source, part.models[0].settings.contract
        assert source == SourceSettings.model_validate({"database": "env:SHOP_DB", **asked})
        deliver(source, contract, tmp_path / "rows.parquet")
        rows = pd.read_parquet(tmp_path / "rows.parquet")
        assert rows.equals(table()[rows.columns])
        written = [file for file in (project / "defs" / name).iterdir() if file.is_file()]
        assert not [file for file in written if url in file.read_text(encoding="utf-8")]
        assert not (project / "defs" / name / "loader.py").exists()

    capsys.readouterr()
    options = ["--target", "left", "--table", "customers"]
    assert main(["init", "postgresql://u:s3cret@nowhere/db", *options]) == 1
    said = capsys.readouterr().err
    assert "s3cret" not in said
    assert "mlops init env:SHOP_DB" in said


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_labels_may_stand_in_a_second_file(project: Path, kind: str) -> None:
    frame = table()
    for name, part in (
        ("rows", frame.drop(columns="left")),
        ("outcomes", frame[["left", "customer_id"]].iloc[::-1].iloc[20:]),
    ):
        if kind == "csv":
            part.to_csv(f"{name}.csv", index=False)
        else:
            part.to_parquet(f"{name}.parquet", index=False)
    labels = ["--labels", f"outcomes.{kind}"]
    assert main(["init", f"rows.{kind}", *labels, "--target", "left"]) == 0
    text = (project / "defs" / "rows" / "defs.yaml").read_text(encoding="utf-8")
    written = yaml.safe_load(text)["attributes"]
    assert written["source"] == {
        "loader": "defs.rows.loader.load",
        "watch": [str(project / f"rows.{kind}"), str(project / f"outcomes.{kind}")],
    }
    assert written["target"]["missing"] == "unlabelled", "the newest have no label yet"
    rows = run_loader("defs.rows.loader.load")
    labelled = rows["left"].notna()
    assert labelled.sum() == ROWS - 20
    assert rows[labelled].astype(str).equals(frame[labelled][rows.columns].astype(str))


def german(frame: pd.DataFrame) -> pd.DataFrame:
    """With an amount, and a whole one, that stand with points in `numbers`."""
    return frame.assign(amount=[1000.5 + n for n in range(len(frame))], units=1234)


def test_a_decimal_comma_is_of_its_columns_where_a_loader_reads(
    project: Path, address: str, tmp_path: Path
) -> None:
    frame = german(table())
    write = {"index": False, "sep": ";", "decimal": ","}
    frame.assign(units="1.234").to_csv(tmp_path / "served" / "far.csv", **write)
    assert main(["init", f"{address}/far.csv", "--name", "far", "--target", "left"]) == 0
    frame.drop(columns="left").to_csv("rows.csv", **write)
    frame[["left", "customer_id"]].to_csv("outcomes.csv", index=False)
    labels = ["--labels", "outcomes.csv"]
    assert main(["init", "rows.csv", *labels, "--target", "left"]) == 0
    for name in ("far", "rows"):
        text = (project / "defs" / name / "defs.yaml").read_text(encoding="utf-8")
        columns = yaml.safe_load(text)["attributes"]["contract"]["columns"]
        assert columns["amount"]["decimal"] == ","
        assert columns["amount"]["dtype"] == "float64"
    frame[["left", "customer_id"]].assign(score=0.5).to_csv("points.csv", index=False)
    assert main(["init", "rows.csv", "--labels", "points.csv", "--target", "left"]) == 1


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("customer_id,left\n1,yes\n1,no\n", "customer_id '1' is there twice"),
        ("customer_id,left\n9999,yes\n", "no customer_id of it has a label"),
        ("customer_id,gone\n1,yes\n", "no column 'left' but"),
        ("id,left\n1,yes\n", "have no column of one name"),
    ],
)
def test_labels_that_cannot_be_joined_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str], labels: str, said: str
) -> None:
    table().drop(columns="left").to_csv("rows.csv", index=False)
    (project / "labels.csv").write_text(labels)
    assert main(["init", "rows.csv", "--labels", "labels.csv", "--target", "left"]) == 1
    output = capsys.readouterr().err
    assert said in output
    assert output.count("\n") == 1
    assert not (project / "defs").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("sqlite:///no.db", "exactly one of `table` and `query`: mlops init env:SHOP_DB --table"),
        ("env:NO_SUCH", "exactly one of `table` and `query`: mlops init env:SHOP_DB --table"),
        ("http://127.0.0.1:9/x.csv", "cannot be read"),
        ("no.duckdb", "a file of DuckDB needs --query"),
        ("https://example.com/*.csv", "of an address one file is read"),
        ("s3://bucket/folder/", "of an address one file is read"),
        ("gs://bucket/a.csv", "gcsfs"),
        ("https://example.com/a.xlsx", "a workbook is read of local files only"),
    ],
)
def test_what_cannot_be_reached_is_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str], data: str, said: str
) -> None:
    assert main(["init", data, "--target", "left", "--name", "far"]) == 1
    output = capsys.readouterr().err
    assert said in output
    assert output.count("\n") == 1


def test_the_secret_of_an_address_stays_outside(
    project: Path,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table().to_csv(tmp_path / "served" / "far.csv", index=False)
    secret = f"{address}/far.csv?token=s3cret"
    for one in (secret, "http://joe:s3cret@127.0.0.1:9/far.csv", "s3://KEY:s3cret@bucket/a.csv"):
        assert main(["init", one, "--name", "far", "--target", "left"]) == 1
        said = capsys.readouterr().err
        assert "s3cret" not in said
        assert "mlops init env:SHOP_CSV" in said
        assert not (project / "defs").exists()
    monkeypatch.setenv("SHOP_CSV", secret)
    assert main(["init", "env:SHOP_CSV", "--name", "far", "--target", "left"]) == 0
    assert len(loaded(project, "far")) == ROWS
    written = [file.read_text(encoding="utf-8") for file in (project / "defs" / "far").iterdir()]
    assert "s3cret" not in "".join([*written, capsys.readouterr().out])


def test_a_database_that_is_not_there_is_not_made(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = ["--target", "left", "--query", "select * from customers"]
    assert main(["init", "sqlite:///typo.db", "--name", "shop", *query]) == 1
    assert "typo.db: there is no such file" in capsys.readouterr().err
    assert not (project / "typo.db").exists()


def test_the_container_of_azure_is_no_secret() -> None:
    require_no_secret("abfss://shop@account.dfs.core.windows.net/a.csv")
