"""The same features and labels by a script of pandas, Polars or Spark, as one would write it.

It drops what the contract and `drop_duplicates` drop, and ends with one Parquet file of training
rows. It keeps no version, quarantine, profile or feature store.

    python -m benchmarks.beyond_memory.scripts pandas|polars|spark SOURCE FILE MOMENTS
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

LEAST = 0.05
_MICROSECOND = timedelta(microseconds=1)
MONTH, QUARTER, DAY = timedelta(days=30), timedelta(days=90), timedelta(days=1)


def moments_of(moments: int) -> Iterator[datetime]:
    """The second of each month."""
    return (datetime(2024, month, 2, tzinfo=UTC) for month in range(1, moments + 1))


def by_pandas(source: str, file: str, moments: int) -> None:
    """All in memory."""
    import pandas as pd

    rows = pd.read_parquet(source)
    rows = rows[rows["amount"] >= LEAST].drop_duplicates()
    newest, parts = rows["at"].max(), []
    for moment in map(pd.Timestamp, moments_of(moments)):
        seen = rows[rows["at"] < moment]
        of = seen.groupby("customer")
        of_month = seen[seen["at"] >= moment - MONTH].groupby("customer")
        of_quarter = seen[seen["at"] >= moment - QUARTER].groupby("customer")
        features = pd.DataFrame(
            {
                "events": of.size(),
                "events_30d": of_month.size(),
                "events_90d": of_quarter.size(),
                "spent": of["amount"].sum(),
                "spent_30d": of_month["amount"].sum(),
                "mean_90d": of_quarter["amount"].mean(),
                "largest": of["amount"].max(),
                "bought": seen[seen["kind"] == "bought"].groupby("customer").size(),
                "recency": (moment - of["at"].max()) / DAY,
                "tenure": (moment - of["at"].min()) / DAY,
            }
        )
        missing = dict.fromkeys(["events_30d", "events_90d", "spent_30d", "bought"], 0)
        features = features.fillna(missing).assign(event_timestamp=moment)
        if moment + MONTH <= newest:
            after = rows[(rows["at"] >= moment) & (rows["at"] < moment + MONTH)]
            again = after.groupby("customer").size().reindex(features.index, fill_value=0)
            features["returns"] = (again >= 2).astype("int64")
        parts.append(features.reset_index())
    pd.concat(parts, ignore_index=True).to_parquet(file, index=False)


def by_polars(source: str, file: str, moments: int) -> None:
    """Lazily, by its streaming engine; what each moment gives is in memory."""
    import polars as pl

    at, amount = pl.col("at"), pl.col("amount")
    rows = pl.scan_parquet(f"{source}/*.parquet").filter(amount >= LEAST).unique()
    rows = rows.collect(engine="streaming").lazy()
    newest = rows.select(at.max()).collect().item()
    parts = []
    for moment in moments_of(moments):
        month, quarter = at >= moment - MONTH, at >= moment - QUARTER
        features = (
            rows.filter(at < moment)
            .group_by("customer")
            .agg(
                pl.len().alias("events"),
                month.sum().alias("events_30d"),
                quarter.sum().alias("events_90d"),
                amount.sum().alias("spent"),
                amount.filter(month).sum().alias("spent_30d"),
                amount.filter(quarter).mean().alias("mean_90d"),
                amount.max().alias("largest"),
                (pl.col("kind") == "bought").sum().alias("bought"),
                ((moment - at.max()) / DAY).alias("recency"),
                ((moment - at.min()) / DAY).alias("tenure"),
            )
            .with_columns(pl.lit(moment).alias("event_timestamp"))
        )
        known = moment + MONTH <= newest
        after = rows.filter(at >= moment, at < moment + MONTH).group_by("customer").len("after")
        again = (pl.col("after").fill_null(0) >= 2).cast(pl.Int64) if known else pl.lit(None)
        labelled = features.join(after, on="customer", how="left").select(
            pl.exclude("after"), again.cast(pl.Int64).alias("returns")
        )
        parts.append(labelled.collect(engine="streaming"))
    pl.concat(parts).sort("event_timestamp", "customer").write_parquet(file)


def by_spark(source: str, file: str, moments: int) -> None:
    """Spark alone on this machine, which keeps the rows that it read once."""
    f = import_module("pyspark.sql.functions")  # not everybody has it

    told = {
        "spark.driver.memory": "4g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": 8,
    }
    told |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = (
        import_module("pyspark.sql")
        .SparkSession.builder.master("local[2]")
        .config(map=told)
        .getOrCreate()
    )
    at, amount = f.col("at"), f.col("amount")
    rows = session.read.parquet(source).where(amount >= LEAST).distinct()
    rows = rows.withColumn("at", f.unix_micros(at)).cache()
    newest, parts = rows.agg(f.max(at)).first()[0], []
    for moment in (int(each.timestamp() * 1e6) for each in moments_of(moments)):
        month, quarter = (at >= moment - span // _MICROSECOND for span in (MONTH, QUARTER))
        features = (
            rows.where(at < moment)
            .groupBy("customer")
            .agg(
                f.count("*").alias("events"),
                f.count_if(month).alias("events_30d"),
                f.count_if(quarter).alias("events_90d"),
                f.sum(amount).alias("spent"),
                f.coalesce(f.sum(f.when(month, amount)), f.lit(0.0)).alias("spent_30d"),
                f.avg(f.when(quarter, amount)).alias("mean_90d"),
                f.max(amount).alias("largest"),
                f.count_if(f.col("kind") == "bought").alias("bought"),
                ((moment - f.max(at)) / (DAY // _MICROSECOND)).alias("recency"),
                ((moment - f.min(at)) / (DAY // _MICROSECOND)).alias("tenure"),
            )
            .withColumn("event_timestamp", f.timestamp_micros(f.lit(moment)))
        )
        ends = moment + MONTH // _MICROSECOND
        after = rows.where((at >= moment) & (at < ends)).groupBy("customer")
        again = (f.coalesce("after", f.lit(0)) >= 2).cast("long")
        known = again if ends <= newest else f.lit(None).cast("long")
        features = features.join(after.agg(f.count("*").alias("after")), "customer", "left")
        parts.append(features.withColumn("returns", known).drop("after"))
    whole = reduce(lambda one, other: one.unionByName(other), parts)
    whole.coalesce(1).write.parquet(f"{file}.parts")
    (part,) = Path(f"{file}.parts").glob("part-*.parquet")
    part.rename(file)
    _ended(session)


def _ended(session: Any) -> None:
    """Wait for Java too, so that its CPU is counted."""
    java = session.sparkContext._gateway.proc
    session.stop()
    java.stdin.close()
    java.wait()


SCRIPTS = {"pandas": by_pandas, "polars": by_polars, "spark": by_spark}


if __name__ == "__main__":
    script, source, file, moments = sys.argv[1:]
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    SCRIPTS[script](source, file, int(moments))
