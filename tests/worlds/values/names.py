"""Names that mean something to somebody: to Python, pandas, SQL, Feast, Prometheus, or to us."""

from hypothesis import strategies as st

RESERVED = (
    # ours: the prediction log, the answers of an endpoint, the quarantine, the profiles
    *("source", "role", "row", "entity", "generation", "request_id", "event_time", "logged_at"),
    *("score", "scores", "predicted", "prediction", "probabilities", "features_as_of", "error"),
    *("label", "reason", "model_version", "model_name", "latency_seconds", "feature_amount"),
    *("event_timestamp", "features", "entities", "rows", "predictions", "message", "code"),
    # pandas and numpy
    *("index", "level_0", "name", "size", "count", "mean", "values", "columns", "shape", "dtype"),
    # SQL and DuckDB
    *("select", "from", "where", "order", "group", "table", "user", "end", "limit", "rowid"),
    # Python and JSON
    *("class", "def", "lambda", "self", "none", "true", "nan", "inf", "id", "type", "key"),
    # Feast, MLflow, Prometheus, Dagster
    *(
        "created",
        "created_ts",
        "event_ts",
        "entity_key",
        "run_id",
        "le",
        "job",
        "instance",
        "config",
    ),
    # what one hot encoding would make of another column
    *("text_0_a", "text_0_nan", "number_0"),
)


def names(count: int) -> st.SearchStrategy[list[str]]:
    """So many different names that are reserved somewhere."""
    return st.lists(st.sampled_from(RESERVED), min_size=count, max_size=count, unique=True)
