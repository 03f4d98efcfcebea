"""The same features and labels by a script of pandas or Polars, as one would write it for this log.

It drops what the contract and `drop_duplicates` drop, and ends with one Parquet file of training
rows. It keeps no version, quarantine, profile or feature store.

    python -m benchmarks.beyond_memory.scripts pandas|polars SOURCE FILE MOMENTS
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

LEAST = 0.05
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


SCRIPTS = {"pandas": by_pandas, "polars": by_polars}


if __name__ == "__main__":
    script, source, file, moments = sys.argv[1:]
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    SCRIPTS[script](source, file, int(moments))
