"""Tables that are no one local file: a bounded sample, and how all of it is read.

An address of fsspec (http, https, s3, gs, ...) or a file of DuckDB is read by code that becomes the
model's `source.loader`; a database of SQLAlchemy is its `source.database`. `env:NAME` is a variable
that holds either; no password gets into a file.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import ConfigError, SourceError
from mlops_assets.init.doubts.addresses import require_no_secret
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.files.found import is_workbook
from mlops_assets.init.reading.files.sampling import MOST_ROWS
from mlops_assets.init.reading.missing import missing_texts, without
from mlops_assets.init.reading.table import read_sample
from mlops_assets.ml.data.formats.delimited import without_preamble
from mlops_assets.redaction import forget_secrets, without_secrets
from resources.databases.rows import sample

_MOST_BYTES = 8_000_000
_FILES = re.compile(
    r"^(https?|s3|gs|gcs|az|abfss?|adl|ftp|sftp|hf|github|hdfs|webhdfs|smb|oci|memory)://"
)
_DATABASE = re.compile(r"^(env:|[a-z0-9]+(\+[a-z0-9_]+)?:///?)")
HEAD = '''"""The rows of this model, from elsewhere; written by `mlops init`."""

'''


class Remote(NamedTuple):
    """A sample of a table that is elsewhere."""

    sample: Path
    """Parquet, typed as the loader returns it."""
    code: str
    """A module with a function `load`; empty where `source` says all."""
    whole: bool
    """Whether the sample is all of it."""
    watch: tuple[str, ...] = ()
    """Local files that the code reads."""
    marks: tuple[str, str | None] = (".", None)
    """Of decimals and thousands in the sample's texts."""
    source: Mapping[str, Any] = MappingProxyType({})
    """The YAML's block, where no code is needed."""


def is_remote(data: str) -> bool:
    """Whether the data are no local files."""
    if data.startswith("package://"):
        return False
    return bool(_FILES.match(data) or _DATABASE.match(data)) or data.endswith(".duckdb")


def fetch(data: str, target: str, answers: Answers, folder: Path) -> Remote:
    """Fetch a bounded sample into `folder`, and write the code that loads all.

    Raises:
        SourceError: It cannot be reached, or is no table.
        ConfigError: A query is missing, or a password would get into a file.
    """
    try:
        if data.endswith(".duckdb"):
            return _from_duckdb(str(Path(data).expanduser().absolute()), _query(answers), folder)
        kind, _, name = data.partition(":")
        if kind == "env" and _FILES.match(named := os.environ.get(name, "")):
            return _from_address(named, f"os.environ[{name!r}]", target, answers, folder)
        if _FILES.match(data):
            require_no_secret(data)
            return _from_address(data, repr(data), target, answers, folder)
        return _from_database(data, answers, folder)
    except (ConfigError, SourceError) as err:
        forget_secrets(err)
        raise
    except Exception as err:  # a driver's, of which each database has its own
        first = (str(err).strip() or type(err).__name__).splitlines()[0]
        raise SourceError(
            without_secrets(f"{data}: cannot be read: {first}; correct it, or the query")
        ) from err


def _query(answers: Answers) -> str:
    if query := answers.given("query"):
        return query
    raise ConfigError("a file of DuckDB needs --query, e.g. 'select * from customers'")


def _from_duckdb(file: str, query: str, folder: Path) -> Remote:
    import duckdb

    if not Path(file).is_file():
        raise SourceError(f"{file}: there is no such file; correct the path")
    with duckdb.connect(file, read_only=True) as connection:
        frame = connection.execute(f"select * from ({query}) limit {MOST_ROWS}").df()  # noqa: S608
    code = HEAD + (
        "import duckdb\nimport pandas as pd\n\n"
        f"FILE = {file!r}\nQUERY = {query!r}\n\n\n"
        "def load() -> pd.DataFrame:\n"
        '    """Every row of the query."""\n'
        "    with duckdb.connect(FILE, read_only=True) as connection:\n"
        "        return connection.execute(QUERY).df()\n"
    )
    return Remote(stored_frame(frame, folder), code, len(frame) < MOST_ROWS)


def _from_database(data: str, answers: Answers, folder: Path) -> Remote:
    named = {name: answers.given(name) for name in ("table", "query") if answers.given(name)}
    try:
        source = SourceSettings.model_validate({"database": data, **named})
    except ValidationError as err:
        said = err.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{said}: mlops init env:SHOP_DB --table customers ...") from None
    file = folder / "sample.parquet"
    whole = sample(source, MOST_ROWS, file)
    return Remote(file, "", whole, source=source.model_dump(include={"database", *named}))


def _from_address(data: str, uri: str, target: str, answers: Answers, folder: Path) -> Remote:
    import fsspec

    if re.search(r"[*?\[]", data.partition("?")[0]) or data.endswith("/"):
        raise SourceError(
            f"{data}: of an address one file is read, no glob or folder; name one, or fetch all "
            "and name the files by a glob"
        )
    name = Path(data.partition("?")[0]).name or "data.csv"
    local = folder / name
    if is_workbook(local):
        raise SourceError(f"{data}: a workbook is read of local files only; fetch it first")
    if local.suffix.lower() in (".parquet", ".pq"):
        with fsspec.open(data, "rb") as file:
            batch = next(pq.ParquetFile(file).iter_batches(MOST_ROWS))
        pq.write_table(pa.Table.from_batches([batch]), local)
        code = _address_code(uri, "pd.read_parquet(file)", "")
        return Remote(local, code, batch.num_rows < MOST_ROWS)
    with fsspec.open(data, "rb", compression="infer") as file:
        head = file.read(_MOST_BYTES)
    for packed in (".gz", ".bz2", ".xz", ".zst", ".zip"):
        local = local.with_suffix("") if local.suffix.lower() == packed else local
    whole = len(head) < _MOST_BYTES
    local.write_bytes(head if whole else head[: head.rfind(b"\n") + 1])
    table = read_sample(str(local), target, answers)
    missing = missing_texts(table.columns, answers)
    columns = {name: without(texts, missing.everywhere) for name, texts in table.columns.items()}
    sample = folder / "sample.parquet"
    pq.write_table(pa.table(columns), sample)
    skipped, comment = table.source.get("skip_rows", 0), table.source.get("comment", "")
    _, before = without_preamble(local.read_bytes(), skipped, comment)
    reader = _reader(table.source, missing.everywhere, before)
    code = _address_code(uri, reader, 'compression="infer"')
    return Remote(sample, code, whole, marks=(table.decimal, table.thousands))


def _reader(source: dict[str, Any], missing: list[str], before: int) -> str:
    """The call of pandas that reads such a text as texts."""
    if source.get("format") == "jsonl":
        return "pd.json_normalize([json.loads(line) for line in file if line.strip()], max_level=1)"
    said = {
        "sep": r"\s+" if source.get("format") == "whitespace" else source.get("delimiter", ","),
        "encoding": source.get("encoding", "utf-8"),
        "na_values": ["", *missing],
        **({"names": source["columns"]} if "columns" in source else {}),
        **({"skiprows": before, "skip_blank_lines": False} if before else {}),
    }
    arguments = "".join(f", {key}={value!r}" for key, value in said.items())
    return f"pd.read_csv(file, dtype=str, keep_default_na=False{arguments})"


def _address_code(uri: str, reader: str, options: str) -> str:
    modules = "".join(f"import {one}\n" for one in ("json", "os") if f"{one}." in uri + reader)
    opened = ", ".join(filter(None, ['URI, "rb"', options]))
    return HEAD + (
        modules + "\n" * bool(modules) + "import fsspec\nimport pandas as pd\n\n"
        f"URI = {uri}\n\n\n"
        "def load() -> pd.DataFrame:\n"
        '    """Every row of the file."""\n'
        f"    with fsspec.open({opened}) as file:\n"
        f"        return {reader}\n"
    )


def stored_frame(frame: pd.DataFrame, folder: Path) -> Path:
    """The file of a sample in this folder."""
    file = folder / "sample.parquet"
    frame.to_parquet(file, index=False)
    return file
