"""Files of a table that are damaged, or are no table: each with its settings and what must be said.

Read alone in `tests/unit/data/reading/test_reading.py`, by a run in `tests/graph/data`, by `mlops
init` in `tests/unit/init`. Damaged YAML is in `yaml_faults.py`.
"""

import bz2
import gzip
import lzma
from typing import Any

import pyarrow as pa

COLUMNS = ["id", "age"]
GOOD = b"id,age\n1,30\n2,\n"
ZST = pa.compress(GOOD, codec="zstd", asbytes=True)

DAMAGED: dict[str, tuple[bytes, dict[str, Any], list[str]]] = {
    "empty": (b"", {}, ["empty", "Fetch"]),
    "blank": (b" \n\n", {}, ["empty", "Fetch"]),
    "header only": (b"id,age\n", {}, ["id,age", "no rows", "Fetch"]),
    "truncated gzip": (
        gzip.compress(GOOD, mtime=0)[:-9],
        {"name": "a.gz"},
        [".gz", "cut short", "Fetch"],
    ),
    "no gzip": (GOOD, {"name": "a.gz"}, ["Not a gzipped file", "Fetch"]),
    "broken gzip": (
        gzip.compress(GOOD, mtime=0)[:12] + b"\xff\xff" + gzip.compress(GOOD)[14:],
        {"name": "a.gz"},
        ["damaged", "Fetch"],
    ),
    "no zip": (GOOD, {"name": "a.zip"}, ["not a zip file", "Fetch"]),
    "semicolons": (GOOD.replace(b",", b";"), {}, ["id;age", "source.delimiter: ';'"]),
    "tabs": (GOOD.replace(b",", b"\t"), {}, ["id\\tage", "source.delimiter: '\\t'"]),
    "blanks": (b"id age\n1 2\n", {}, ["id age", "source.format: whitespace"]),
    "commas": (
        GOOD,
        {"format": "whitespace"},
        ["white space", "format: csv` and `source.delimiter: ','`"],
    ),
    "semicolons without header": (
        b"1;30\n",
        {"columns": COLUMNS},
        ["1;30", "source.delimiter: ';'"],
    ),
    "cut in a row": (b"id,age\n1,30\n2,4", {}, ["line 3", "2,4", "final_newline", "fetch"]),
    "no final newline": (GOOD + b"3,30", {}, ["line 4", "'3,30'", "source.final_newline"]),
    "NUL": (b"id,age\n1,3\x000\n", {}, ["line 2", "\\x00", "fetch"]),
    "short row": (b"id,age\n1,30\n2\n3,4\n", {}, ["line 3", "1 values", "2", "'2'", "delete"]),
    "long row": (b"id,age\n1,30\n2,3,4\n", {}, ["line 3", "3 values", "'2,3,4'", "delete"]),
    "long row without header": (
        b"1,30\n2,3,4\n",
        {"columns": COLUMNS},
        ["line 2", "'2,3,4'", "source.columns"],
    ),
    "long quoted row": (b'id,age\n"1",30\n2,3,4\n', {}, ["row 3", "'2,3,4'", "delete"]),
    "empty line": (b"id,age\n1,30\n\n2,3\n", {}, ["line 3", "empty", "Delete"]),
    "empty first line": (b"id,age\n\n2,3\n", {}, ["line 2", "empty", "Delete"]),
    "empty quoted line": (b'id,age\n"1",30\n\n2,3\n', {}, ["line 3", "empty", "Delete"]),
    "open quote": (b'id,age\n1,30\n2,"3\n4,5\n', {}, ["line 3", "quote", '2,"3', "Double"]),
    "text after a quote": (b'id,age\n"1"x,30\n', {}, ["line 2", '"1"x', "Double"]),
    "open quote in header": (b'id,"age\n1,30\n', {}, ["line 1", '"age', "quotes"]),
    "no header": (b"1,1\n2,30\n", {}, ["line 1", "'1,1'", "If it is a row", "source.columns"]),
    "header below": (b"Ages\nid,age\n1,2\n", {}, ["line 1", "'Ages'", "source.skip_rows"]),
    "all skipped": (GOOD, {"skip_rows": 9}, ["no line beside", "source"]),
    "long row below a title": (
        b"Ages\n# of all\n\nid,age\n1,30\n2,3,4\n",
        {"skip_rows": 1, "comment": "#"},
        ["line 6", "3 values"],
    ),
    "empty line below a title": (b"Ages\nid,age\n1,2\n\n", {"skip_rows": 1}, ["line 4", "empty"]),
    "duplicate header": (b"id,age,age\n1,2,3\n", {}, ["['age']", "more than once", "Rename"]),
    "missing column": (b"id\n1\n", {}, ["['age']", "missing", "contract.columns"]),
    "renamed column": (b"id,ages\n1,2\n", {}, ["'age'", "renamed to 'ages'", "contract.columns"]),
    "extra column": (b"id,age,x\n1,2,3\n", {}, ["['x']", "contract.extra_columns: drop"]),
    "declared header present": (GOOD, {"columns": COLUMNS}, ["line 1", "'age'", "source.columns"]),
    "not UTF-8": (
        b"id,age\n1,30\ncaf\xe9,2\n",
        {},
        ["line 3", "\\xe9", "no UTF-8", "source.encoding", "cp1252"],
    ),
    "not cp1252": (b"id,age\n1,\x81\n", {"encoding": "cp1252"}, ["line 2", "\\x81", "no CP1252"]),
    "UTF-16": (GOOD.decode().encode("utf-16"), {}, ["source.encoding: utf-16"]),
    "truncated bzip2": (bz2.compress(GOOD)[:-9], {"name": "a.bz2"}, ["cut short", "Fetch"]),
    "truncated xz": (lzma.compress(GOOD)[:-9], {"name": "a.xz"}, ["cut short", "Fetch"]),
    "truncated Zstandard": (ZST[:-3], {"name": "a.zst"}, ["cut short", "Fetch"]),
    "no bzip2": (GOOD, {"name": "a.bz2"}, ["damaged", "Fetch"]),
    "no xz": (GOOD, {"name": "a.xz"}, ["damaged", "Fetch"]),
    "no Zstandard": (GOOD, {"name": "a.zst"}, ["damaged", "Fetch"]),
    "bzip2 by another name": (bz2.compress(GOOD), {}, ["bzip2; name it *.bz2"]),
    "xz by another name": (lzma.compress(GOOD), {}, ["xz; name it *.xz"]),
    "Zstandard by another name": (ZST, {}, ["Zstandard; name it *.zst"]),
    "JSON lines": (b'{"id":1,"age":2}\n', {}, ["JSON", "source.format: jsonl"]),
    "old Mac line ends": (GOOD.replace(b"\n", b"\r"), {}, ["line 1", "\\r", "Convert"]),
    "gzip": (gzip.compress(GOOD), {}, ["\\x1f\\x8b", "gzip; name it *.gz"]),
    "zip or Excel": (b"PK\x03\x04\x14\0\xe9", {}, ["Excel workbook", "source.format: excel"]),
    "parquet": (b"PAR1\x15\x04\xff", {}, ["PAR1", "source.format: parquet"]),
    "web page": (b"<!DOCTYPE html>\n<p>404</p>\n", {}, ["failed download", "fetch it again"]),
    "no parquet": (GOOD, {"format": "parquet"}, ["parquet", "source.format"]),
}
