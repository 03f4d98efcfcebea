"""Tables as strangers have them, each written to a file: what `mlops init` must make a model of."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn import datasets  # noqa: TID253  only tests import this

ROWS = 1200


class OwnTable(NamedTuple):
    """A table and what is asked of it."""

    write: Callable[[Path], Path]
    target: str
    options: Mapping[str, str] = MappingProxyType({})


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _sklearn(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        bunch: Any = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = bunch.frame
        if "target_names" in bunch and name in ("wine", "iris"):
            frame["target"] = bunch.target_names[frame["target"]]
        frame.to_csv(folder / f"{name}.csv", index=False)
        return folder / f"{name}.csv"

    return write


def _chance(score: np.ndarray) -> np.ndarray:
    return _rng().uniform(size=len(score)) < 1 / (1 + np.exp(-score))


def german(folder: Path) -> Path:
    """Semicolons, a decimal comma, Windows-1252, umlauts, German dates, ja and nein."""
    rng = _rng()
    size = rng.normal(175, 10, ROWS).round(1)
    city = rng.choice(["München", "Köln", "Zürich"], ROWS)
    frame = pd.DataFrame(
        {
            "Kunden-Nr.": [f"K-{10_000 + i}" for i in range(ROWS)],
            "Datum der Anfrage": pd.date_range("2024-01-01", periods=ROWS, freq="6h").strftime(
                "%d.%m.%Y %H:%M"
            ),
            "Größe (cm)": size,
            "Straße & Ort": city,
            "Gekündigt?": np.where(_chance((size - 175) / 5 + (city == "Köln")), "ja", "nein"),
        }
    )
    file = folder / "kunden.csv"
    frame.to_csv(file, index=False, sep=";", decimal=",", encoding="cp1252")
    return file


def dirty(folder: Path) -> Path:
    """`?` for no value, whole numbers as 4.0, yes in many spellings, an index column, a copy."""
    rng = _rng()
    whole = pd.Series(rng.integers(0, 9, ROWS).astype(float))
    kind = pd.Series(rng.choice(["Private", "Self-emp", "Gov"], ROWS))
    frame = pd.DataFrame(
        {
            "whole": whole.mask(rng.uniform(size=ROWS) < 0.05),
            "work class": kind.mask(rng.uniform(size=ROWS) < 0.05),
            "newsletter": rng.choice(["yes", "NO", "Y", "n", "Yes"], ROWS),
            "constant": "x",
            "ticket": [f"ticket no {i * 7} of mine" for i in range(ROWS)],
            "whole again": whole,
            "income": np.where(_chance(whole.to_numpy() - 5 + (kind == "Gov")), ">50K", "<=50K"),
        }
    )
    file = folder / "adult.csv"
    frame.to_csv(file, na_rep="?")
    return file


def yes_no(folder: Path) -> Path:
    """A text target of yes and no, some without, and a date that is no moment of the row."""
    rng = _rng()
    score = rng.normal(size=ROWS).round(3)
    days = rng.integers(100, 1500, ROWS)
    asked = pd.date_range("2025-01-01", periods=ROWS, freq="2h")
    target = pd.Series(np.where(_chance(score * 2 + (days > 800)), "Yes", "No"))
    frame = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "asked_at": asked.strftime("%Y-%m-%d %H:%M:%S"),
            "signup_date": (asked - pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d"),
            "score": score,
            "churn": target.mask(rng.uniform(size=ROWS) < 0.02),
        }
    )
    file = folder / "signups.csv"
    frame.to_csv(file, index=False)
    return file


def rare(folder: Path) -> Path:
    """0.3 % positives."""
    rng = _rng()
    frame = pd.DataFrame(rng.normal(size=(20_000, 4)), columns=["V1", "V2", "V3", "Amount"])
    chance = 0.003 * np.exp(1.5 * frame["V1"] - 1.125)
    frame["Class"] = (rng.uniform(size=len(frame)) < chance).astype(int)
    file = folder / "fraud.csv.gz"
    frame.to_csv(file, index=False)
    return file


def nested(folder: Path) -> Path:
    """Parquet with a struct, a list, a decimal, a category, a boolean and moments with a zone."""
    rng = _rng()
    age = rng.integers(18, 90, ROWS)
    plan = rng.choice(["basic", "pro"], ROWS)
    at = pd.date_range("2024-01-01", periods=ROWS, freq="12h", tz="Europe/Berlin")
    table = pa.table(
        {
            "userId": pa.array([f"u-{i:05d}" for i in range(ROWS)]),
            "createdAt": pa.array(at),
            "profile": pa.array(
                [{"age": int(a), "vip": bool(a % 2)} for a in age],
                pa.struct([("age", pa.int32()), ("vip", pa.bool_())]),
            ),
            "price": pa.array([f"{x:.2f}" for x in rng.uniform(1, 99, ROWS)]).cast(
                pa.decimal128(7, 2)
            ),
            "plan": pa.array(plan).dictionary_encode(),
            "tags": pa.array([["a"]] * ROWS),
            "upgraded": pa.array(_chance((age - 50) / 10 + (plan == "pro"))),
        }
    )
    file = folder / "users.parquet"
    pq.write_table(table, file)
    return file


def events(folder: Path) -> Path:
    """An event log with ids that are texts, and kinds of events."""
    rng = _rng()
    size, users = 12_000, 400
    loyal = rng.gamma(0.7, 1.0, users)
    who = rng.choice(users, size, p=loyal / loyal.sum())
    kind = rng.choice(["view", "cart", "purchase"], size, p=[0.7, 0.2, 0.1])
    at = pd.to_datetime("2025-01-01", utc=True) + pd.to_timedelta(
        np.sort(rng.uniform(0, 400 * 86_400, size)), unit="s"
    )
    frame = pd.DataFrame(
        {
            "user_id": [f"u-{i:05x}" for i in who],
            "event_time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "event_type": kind,
            "value": np.where(kind == "purchase", rng.gamma(2, 20, size).round(2), np.nan),
        }
    )
    file = folder / "events.csv"
    frame.to_csv(file, index=False)
    return file


def readings(folder: Path) -> Path:
    """JSON lines, a folder of daily files, machines that recur."""
    rng = _rng()
    (folder / "daily").mkdir()
    for day in range(40):
        heat = rng.normal(60, 8, 40).round(2)
        frame = pd.DataFrame(
            {
                "machine_id": np.arange(40),
                "measured_at": f"2025-02-{day + 1:02d} 12:00"
                if day < 28
                else f"2025-03-{day - 27:02d} 12:00",
                "heat": heat,
                "wear": (heat * 0.4 + rng.normal(0, 2, 40)).round(3),
            }
        )
        frame.to_json(folder / "daily" / f"{day:02d}.jsonl", orient="records", lines=True)
    return folder / "daily"


def wide(folder: Path, columns: int = 100) -> Path:
    """More columns than anybody reads, of which two matter; one is empty and one there twice."""
    rng = _rng()
    frame = pd.DataFrame(rng.normal(size=(ROWS, columns)).round(3)).add_prefix("sensor ")
    target = frame["sensor 3"] - frame["sensor 77"] + rng.normal(0, 0.3, ROWS)
    frame["sensor 80"] = np.nan
    frame["sensor 90"] = frame["sensor 3"]
    frame["output"] = target.round(3)
    file = folder / "wide.csv.xz"
    frame.to_csv(file, index=False)
    return file


def gaps(folder: Path) -> Path:
    """Rows that are there twice, days that are missing, cells with no value, unsorted."""
    rng = _rng()
    days = pd.date_range("2022-01-01", periods=500, freq="D").delete(slice(100, 160))
    rows = pd.DataFrame({"date": rng.choice(days, ROWS), "shop": rng.integers(1, 30, ROWS)})
    rows = rows.drop_duplicates()
    rows["visitors"] = rng.poisson(80, len(rows)).astype(float)
    rows["rain"] = rng.gamma(1, 2, len(rows)).round(1)
    rows["sales"] = (rows["visitors"] * 3 - rows["rain"] * 10 + rng.normal(0, 20, len(rows))).round(
        2
    )
    rows["visitors"] = rows["visitors"].mask(rng.uniform(size=len(rows)) < 0.1)
    file = folder / "sales.tsv"
    pd.concat([rows, rows.sample(40, random_state=0)]).to_csv(file, sep="\t", index=False)
    return file


def untidy(folder: Path) -> Path:
    """A target with blanks behind it, Swiss numbers, infinities, Y and N and nothing, codes."""
    rng = _rng()
    size, car = rng.normal(size=ROWS).round(3), rng.choice(["Y", "N", ""], ROWS)
    turnover = [f"{np.exp(7 + x):,.2f}".replace(",", "'") for x in size]
    height = [*map(str, rng.normal(size=ROWS - 4).round(3)), "inf", "-inf", "-0.0", "Infinity"]
    frame = pd.DataFrame(
        {
            "client_id": [f"{i:07d}" for i in range(ROWS)],
            "zip": [f"{z:05d}" for z in rng.integers(1000, 1012, ROWS)],
            "turn over": turnover,
            "Turn Over": rng.integers(0, 50, ROWS),
            "height": height,
            "car": car,
            "outcome": np.where(_chance(2 * size + (car == "Y")), "left", "stays"),
        }
    )
    frame["outcome"] += np.array(["", " ", "  "])[rng.integers(0, 3, ROWS)]
    frame.to_csv(folder / "untidy.csv", index=False)
    return folder / "untidy.csv"


def weeks(folder: Path) -> Path:
    """Sales of shops by ISO week, and when each was counted, in days of a spreadsheet."""
    rng, number = _rng(), np.arange(ROWS)
    days = pd.date_range("2018-01-01", periods=ROWS // 4, freq="7D").repeat(4)
    promoted = rng.integers(0, 2, ROWS)
    sales = 100 + 25 * promoted + 5 * (number % 4) + rng.normal(scale=5, size=ROWS)
    frame = pd.DataFrame(
        {
            "shop_id": number % 4 + 100,
            "week": [f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02d}" for day in days],
            "Count Date": (days - pd.Timestamp("1899-12-30")).days - rng.integers(1, 40, ROWS),
            "promo": promoted,
            "sales": sales.round(1),
        }
    )
    frame.to_csv(folder / "weeks.csv", index=False)
    return folder / "weeks.csv"


def arrow(folder: Path) -> Path:
    """Parquet of decimals, small and unsigned integers, large strings, dictionaries, days."""
    rng = _rng()
    amount, kind = rng.normal(scale=100, size=ROWS), rng.choice(["red", "green", "blue"], ROWS)
    money = [Decimal(f"{value:.2f}") for value in amount]
    days = pd.date_range("2024-01-01", periods=ROWS, freq="12h")
    table = pa.table(
        {
            "id": pa.array(np.arange(ROWS), pa.uint32()),
            "amount": pa.array(money, pa.decimal128(12, 2)),
            "kind": pa.array(kind, pa.large_string()),
            "place": pa.array(rng.choice(["a", "b"], ROWS)).dictionary_encode(),
            "small": pa.array(rng.integers(-9, 9, ROWS).astype("int8")),
            "ratio": pa.array(rng.uniform(size=ROWS).astype("float32")),
            "day": pa.array(days.date),
            "y": pa.array(_chance(amount / 80 + (kind == "red"))),
        }
    )
    pq.write_table(table, folder / "arrow.parquet")
    return folder / "arrow.parquet"


TABLES = {
    "wine": OwnTable(_sklearn("wine"), "target"),
    "breast_cancer": OwnTable(_sklearn("breast_cancer"), "target"),
    "diabetes": OwnTable(_sklearn("diabetes"), "target"),
    "iris": OwnTable(_sklearn("iris"), "target"),
    "german": OwnTable(german, "Gekündigt?"),
    "dirty": OwnTable(dirty, "income"),
    "yes_no": OwnTable(yes_no, "churn"),
    "rare": OwnTable(rare, "Class"),
    "nested": OwnTable(nested, "upgraded"),
    "events": OwnTable(events, "event_type=purchase"),
    "readings": OwnTable(readings, "wear"),
    "wide": OwnTable(wide, "output"),
    "gaps": OwnTable(gaps, "sales"),
    "untidy": OwnTable(untidy, "outcome", {"positive": "left"}),
    "weeks": OwnTable(weeks, "sales", {"time": "week"}),
    "arrow": OwnTable(arrow, "y"),
}
