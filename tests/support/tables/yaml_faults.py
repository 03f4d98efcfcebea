"""A sound model's YAML, and ways to break it: what each does to the bytes, and what is said."""

from collections.abc import Callable
from typing import NamedTuple

SOUND = """\
type: mlops_assets.components.ModelPipeline
attributes:
  name: loans
  owners: ["team:credit"]
  source: {uri: loans.csv}
  entity: {name: id}
  timestamp: time
  contract:
    columns:
      id: {dtype: int64}
      time: {dtype: datetime}
      amount: {dtype: float64, min: 0}
      grade: {dtype: string, allowed: ["1", "2"]}
      label: {dtype: int64, allowed: [0, 1]}
  processing: {categorical_encoding: [grade], fill_na: {amount: 0}}
  features: {columns: [amount, grade], ttl: 400d, clock: data}
  target: {name: defaulted, task: binary, column: label}
  training:
    estimator: sklearn.linear_model.LogisticRegression
    split: {by: time, test: 3 months}
  evaluation: {primary: roc_auc, slices: [grade]}
  schedule: {train: "0 0 * * 0"}
  deployment: {port: 18200}
"""


class Broken(NamedTuple):
    """One way to break the YAML."""

    name: str
    change: Callable[[bytes], bytes]
    line: int
    said: str


def swap(old: str, new: str) -> Callable[[bytes], bytes]:
    """Another text in the place of one that stands there once."""
    assert SOUND.count(old) == 1, old
    return lambda data: data.replace(old.encode(), new.encode())


def end(text: str) -> Callable[[bytes], bytes]:
    return lambda data: data + text.encode()


def whole(data: bytes) -> Callable[[bytes], bytes]:
    return lambda _: data


BOMB = "x0: &x0 [a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 8)}]\n" for i in range(1, 9)
)

NO_YAML = [
    Broken("indent", swap("  timestamp: time", "   timestamp: time"), 7, "indentation"),
    Broken("outdent", swap("  timestamp: time", " timestamp: time"), 7, "expected <block end>"),
    Broken("tab", swap("  timestamp: time", "\ttimestamp: time"), 7, "use spaces"),
    Broken("empty", whole(b""), 1, "the file is empty"),
    Broken("only comments", whole(b"# later\n\n"), 1, "the file is empty"),
    Broken("utf-16", lambda data: data.decode().encode("utf-16"), 1, "UTF-16; save it as UTF-8"),
    Broken(
        "utf-16 unmarked", lambda data: data.decode().encode("utf-16-le"), 1, "save it as UTF-8"
    ),
    Broken("nul", swap("credit", "cr\x00dit"), 4, "NUL byte"),
    Broken("latin-1", lambda data: data.replace(b"credit", b"cr\xe9dit"), 4, "is not UTF-8"),
    Broken("half a character", lambda data: data + b"# \xe2\x82", 24, "is not UTF-8"),
    Broken("control character", swap("credit", "cr\x07dit"), 4, "U+0007 may not stand in YAML"),
    Broken(
        "twice", swap("  timestamp: time", "  timestamp: time\n  timestamp: at"), 8, "line 7 too"
    ),
    Broken("bare template", swap("uri: loans.csv", "uri: {{ env.HOME }}"), 5, "needs quotes"),
    Broken("colon", swap("{name: id}", "name: id"), 6, "put the text in quotes"),
    Broken("quote", swap('"team:credit"', '"team:credit'), 4, "no YAML"),
    Broken("bracket", swap("[amount, grade], ttl", "[amount, grade, ttl"), 16, "no YAML"),
    Broken("at sign", swap("loans.csv", "@loans.csv"), 5, "cannot start any token"),
    Broken("unknown alias", swap("loans.csv", "*file"), 5, "undefined alias 'file'"),
    Broken("bomb", end(BOMB), 24, "expand to more than"),
    Broken("cycle", end("x: &x [*x]\n"), 24, "expand to more than"),
    Broken("tag", swap("loans.csv", "!!python/name:os.system x"), 5, "could not determine"),
    Broken(
        "merge conflict", swap("  timestamp: time", "<<<<<<< HEAD\n  timestamp: time"), 7, "merge"
    ),
    Broken("endless number", swap("18200", "9" * 5000), 23, "is no int"),
    Broken("nested without end", whole(b"[" * 3000), 1, "nested too deeply"),
    Broken("list", whole(b"- a\n- b\n"), 1, "the document is a list"),
    Broken("text", whole(b"hello\n"), 1, "the document is a str"),
    Broken("stray end", end("---\n"), 25, "the document is nothing"),
]

NO_MODEL = [
    Broken(
        "no type", swap("type: mlops_assets.components.ModelPipeline\n", ""), 1, "`type` is missing"
    ),
    Broken(
        "wrong type", swap("components.Mod", "components.Modl"), 1, "did you mean 'ModelPipeline'?"
    ),
    Broken("no module", swap("mlops_assets.components", "mlops.components"), 1, "is no component"),
    Broken("no attributes", whole(SOUND[:44].encode()), 1, "`attributes` is missing"),
    Broken(
        "attributes in words",
        whole(f"{SOUND[:44]}attributes: hello\n".encode()),
        2,
        "`attributes` are no keys with values; give the keys that",
    ),
    Broken("key beside", end("atributes: {}\n"), 24, "did you mean 'attributes'?"),
    Broken("name", swap("name: loans", "name: My-Loans"), 3, "lower-case letters"),
    Broken("number for text", swap("name: loans", "name: 12"), 3, "put it in quotes"),
    Broken("owner", swap("team:credit", "credit"), 4, "write an e-mail address or team:NAME"),
    Broken("jinja", swap("loans.csv", '"{{ env.HOME }"'), 5, "unexpected '}'"),
    Broken("jinja name", swap("loans.csv", '"{{ evn.HOME }}"'), 5, "'evn' not found"),
    Broken("variable", swap("loans.csv", '"{{ env.NO_SUCH }}/x"'), 5, "NO_SUCH is not set; set it"),
    Broken("call", swap("loans.csv", "\"{{ env('NO_SUCH') }}\""), 5, "NO_SUCH is not set; set it"),
    Broken("key", swap("uri: loans.csv", "urii: loans.csv"), 5, "did you mean 'uri'?"),
    Broken("block", swap("  schedule:", "  shedule:"), 22, "did you mean 'schedule'?"),
    Broken("text for block", swap("{name: id}", "id"), 6, "entity: 'id'"),
    Broken("timestamp", swap("dtype: datetime", "dtype: string"), 11, "must be a datetime"),
    Broken(
        "format", swap("dtype: datetime", 'dtype: datetime, format: "%Q%Y"'), 11, "no directive"
    ),
    Broken("target of times", swap("column: label", "column: time"), 17, "says which row it is"),
    Broken("target of ids", swap("column: label", "column: id"), 17, "says which row it is"),
    Broken("no column", swap("timestamp: time", "timestamp: tme"), 7, "did you mean 'time'?"),
    Broken("dtype", swap("{dtype: float64", "{dtype: float46"), 12, "did you mean 'float64'?"),
    Broken("text for number", swap("min: 0}", "min: none}"), 12, "'none' should be a valid number"),
    Broken(
        "nested key",
        swap("    split: ", "    params: {a: [[b, {estimator: c.D, parms: {}}]]}\n    split: "),
        20,
        "training.params.a.0.1.parms: unknown key; did you mean 'params'?",
    ),
    Broken("not a number", swap("min: 0}", "min: .nan}"), 12, "should be a finite number"),
    Broken("infinite", swap("min: 0}", "max: .inf}"), 12, "should be a finite number"),
    Broken("min above max", swap("min: 0}", "min: 2, max: 1}"), 12, "min 2.0 is above max 1.0"),
    Broken("allowed", swap('["1", "2"]', '["1", 2]'), 13, "allowed values [2] are no string"),
    Broken("fill", swap("{amount: 0}", "{amonut: 0}"), 15, "did you mean 'amount'?"),
    Broken("feature", swap("columns: [amount,", "columns: [amunt,"), 16, "did you mean 'amount'?"),
    Broken("duration", swap("400d", "400 days"), 16, "is not a duration; write e.g. 90d"),
    Broken("negative", swap("400d", "-1d"), 16, "is not a duration"),
    Broken("target", swap("column: label", "column: lable"), 17, "did you mean 'label'?"),
    Broken("leak", swap("column: label", "column: amount"), 16, "a leak; remove it"),
    Broken("missing", swap("name: defaulted, ", ""), 17, "the key 'name' is missing; add it"),
    Broken("task", swap("task: binary", "task: binnary"), 17, "did you mean 'binary'?"),
    Broken("path", swap("sklearn.linear_model.L", "L"), 19, "write a dotted path"),
    Broken("span", swap("3 months", "3 moons"), 20, "write e.g. 2 hours, 1 day"),
    Broken("metric", swap("roc_auc", "roc-auc"), 21, "did you mean 'roc_auc'?"),
    Broken("slice", swap("slices: [grade]", "slices: [grades]"), 21, "did you mean 'grade'?"),
    Broken("cron", swap("0 0 * * 0", "every sunday"), 22, "is no cron expression; write e.g."),
    Broken("cron of Mars", swap("0 0 * * 0", "0 25 * * 0"), 22, "is no cron expression"),
    Broken("low port", swap("18200", "80"), 23, "equal to 1024; write a larger number"),
    Broken(
        "port in quotes", swap("18200", '"18200"'), 23, "'18200' is a text; write 18200, without"
    ),
    Broken("port by a power of ten", swap("18200", "1e4"), 23, "'1e4' is a text; write 10000.0,"),
    Broken("port in words", swap("18200", "any"), 23, "'any' is no whole number; write one"),
    Broken(
        "no yes", swap("    split: ", "    scale: yess\n    split: "), 20, "neither true nor false"
    ),
    Broken(
        "all may be bad",
        swap("  contract:", "  contract:\n    max_bad_fraction: 1"),
        9,
        "should be less than 1; write a smaller number",
    ),
    Broken(
        "name of an aggregate",
        swap("columns: [amount, grade]", 'aggregates: {"Odd Name": {agg: count}}'),
        16,
        "'Odd Name' is not well formed; write lower-case letters",
    ),
    Broken(
        "one for many",
        swap("uri: loans.csv", "loader: a.b, watch: loans.csv"),
        5,
        "source.watch: 'loans.csv' is no list; write it in brackets",
    ),
    Broken(  # pydantic has it for 23 August 1970
        "number for a date",
        swap("columns: [amount, grade]", "snapshots: {every: 1 day, start: 20250101}"),
        16,
        "features.snapshots.start: 20250101 is no date; write e.g. 2024-01-31 or",
    ),
    Broken(
        "end before start",
        swap(
            "columns: [amount, grade]",
            "snapshots: {every: 1 day, start: 2025-03-01, end: 2024-03-01}",
        ),
        16,
        "end 2024-03-01 00:00:00 is before start 2025-03-01 00:00:00; correct one of them",
    ),
    Broken(
        "year of no timestamp",
        swap("timestamp: time", "timestamp: time\n  partitions: {cadence: day, start: 0001-01-01}"),
        8,
        "is out of range; write one of 1678 to 2261",
    ),
    Broken(
        "number for a day",
        swap("timestamp: time", "timestamp: time\n  partitions: {cadence: day, start: 20250101}"),
        8,
        "partitions.start: 20250101 is no date; write e.g. 2024-01-31",
    ),
    Broken("high port", swap("18200", "99999999999999999999"), 23, "less than or equal to 65535"),
    Broken(
        "bare yes", swap("      id: {dtype: int64}", "      yes: {dtype: int64}"), 10, "in quotes"
    ),
]
