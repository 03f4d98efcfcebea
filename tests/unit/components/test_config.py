"""The YAML schema: what it accepts as written in the original framework, and what it refuses."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from mlops_assets.blocks.data import ProcessingSettings
from mlops_assets.config import ModelSettings


def changed(attributes: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split(".")
    block = attributes
    for parent in parents:
        block = block.setdefault(parent, {})
    block[last] = value
    return attributes


def test_the_original_processing_keys_work_as_written() -> None:
    settings = ProcessingSettings.model_validate(
        {"drop_columns": ["a"], "fill_na": {"b": 0}, "categorical_encoding": ["c"]}
    )
    assert settings.categorical_encoding == {"c": "one_hot"}


@pytest.mark.parametrize(
    ("text", "length"),
    [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("2w", timedelta(weeks=2))],
)
def test_durations(loans: dict[str, Any], text: str, length: timedelta) -> None:
    settings = ModelSettings.model_validate(changed(loans, "features.ttl", text))
    assert settings.features.ttl == length


@pytest.mark.parametrize("text", ["9999999999d", "36501d", f"{'9' * 400}s", "5218w"])
@pytest.mark.parametrize(
    "path",
    [
        "features.ttl",
        "deployment.rollout.step",
        "training.tune.timeout",
        "monitoring.window",
        "monitoring.new_data_every",
        "monitoring.labels.maturity",
        "monitoring.drift.ageing.amount",
        "monitoring.retrain.cooldown",
    ],
)
def test_no_duration_is_longer_than_a_century(loans: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(changed(loans, path, text))
    (said,) = [error["msg"] for error in caught.value.errors() if "century" in error["msg"]]
    assert said.endswith("is longer than a century; write 36500d at most")
    assert len(said) < 150


def test_the_longest_durations_are_understood(loans: dict[str, Any]) -> None:
    settings = ModelSettings.model_validate(changed(loans, "features.ttl", "36500d"))
    assert settings.features.ttl == timedelta(days=36500)
    with pytest.raises(ValidationError, match=r"longer than a century; write 100 years at most"):
        ModelSettings.model_validate(changed(loans, "training.split.test", "101 years"))


def test_a_report_looks_back_no_further_than_moments_go(loans: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="24 windows of 36500 days are longer than ten"):
        ModelSettings.model_validate(changed(loans, "monitoring.window", "36500d"))


def test_the_digest_changes_with_the_meaning_only(loans: dict[str, Any]) -> None:
    before = ModelSettings.model_validate(loans).features.digest()
    same = ModelSettings.model_validate(changed(loans, "features.ttl", "9600h"))
    other = ModelSettings.model_validate(changed(loans, "features.ttl", "401d"))
    assert same.features.digest() == before
    assert other.features.digest() != before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("trianing", {}, "Extra inputs are not permitted"),
        ("training.estimater", "x.y", "Extra inputs are not permitted"),
        ("name", "Loans", "String should match pattern"),
        ("source", {}, "exactly one of `uri`, `loader` and `database`"),
        ("source", {"uri": "x", "loader": "a.b"}, "exactly one of `uri`, `loader` and `database`"),
        ("source.watch", ["x"], "`watch` goes with `loader`"),
        ("source.delimiter", '"', "cannot separate values"),
        ("source", {"uri": "x", "format": "whitespace", "delimiter": ";"}, "takes no delimiter"),
        ("source", {"uri": "x", "format": "parquet", "columns": ["a"]}, "without a header line"),
        (
            "source.encoding",
            "latin-99",
            "encoding 'latin-99' is not known; write e.g. utf-8, cp1252",
        ),
        ("source.encoding", "rot13", "encoding 'rot13' is not known"),
        ("source", {"uri": "x", "format": "parquet", "encoding": "cp1252"}, "is of a text file"),
        ("source", {"uri": "x", "format": "jsonl", "decimal": ","}, "of csv and whitespace; remov"),
        ("source.decimal", ";", "Input should be '.' or ','"),
        ("source.thousands", ".", "decimal and thousands are both '.'"),
        ("source.thousands", "0", "thousands '0' is part of a number"),
        ("source", {"uri": "x", "format": "jsonl", "columns": ["a"]}, "without a header line"),
        ("partitions", {"cadence": "hour", "start": "2024-01-01"}, "'day', 'week' or 'month'"),
        ("partitions", {"cadence": "day", "start": "2199-01-01"}, "is after today"),
        ("partitions", {"cadence": "week", "start": "2024-01-03"}, "no week; write 2024-01-01"),
        ("partitions", {"cadence": "month", "start": "2024-01-03"}, "no month; write 2024-01-01"),
        ("contract.columns.grade.allowed", ["a", 1], "allowed values [1] are no string"),
        ("contract.columns.label.allowed", [True], "allowed values [True] are no int64"),
        (
            "contract.columns.grade.values",
            {"ja": True, "nein": False},
            "are for a bool, not string",
        ),
        (
            "contract.columns.label",
            {"dtype": "bool", "values": {True: True, False: False}},
            "YAML reads a bare yes as true; put it in quotes",
        ),
        (
            "contract.columns.label",
            {"dtype": "bool", "values": {"ja": True, "JA": False}},
            "are equal but for their case",
        ),
        (
            "contract.columns.label",
            {"dtype": "bool", "values": {"ja": True}},
            "name only one side; give one for true, one false",
        ),
        ("target.positive", True, "True is no int64, as 'label' is; put a text in quotes"),
        ("target.positive", 2, "2 is not among its allowed [0, 1]; name one"),
        ("target", {"name": "y", "task": "binary", "column": "time"}, "'time' says which row"),
        (
            "target",
            {"name": "y", "task": "multiclass", "column": "label", "positive": 1},
            "`positive` makes a binary target, not multiclass",
        ),
        (
            "target",
            {"name": "y", "task": "binary", "column": "label", "positive": 1, "above": 0},
            "give `above` or `positive`, not both",
        ),
        ("contract.columns.time.format", "Ymd", "is for datetimes"),
        ("contract.columns.time.format", "%d %Z", "names of zones are ambiguous"),
        ("contract.columns.time.format", "%Q%Y", "`%Q` is no directive of strptime; write e.g."),
        ("contract.columns.time.format", "%Y-%m-%", "a `%` ends it"),
        ("contract.columns.time.format", "%d %H", "it has no year"),
        ("contract.columns.time.format", "%Y %H", "it has no day"),
        ("contract.columns.time.format", "%Y-%V-%u", "it has no whole week and its day"),
        ("contract.columns.time.format", "%Y-%m-%d %Y", "`%Y` stands in it twice"),
        ("contract.columns.time.format", "%%Y", "it has no year"),
        ("contract.columns.time.timezone", "New York", "timezone 'New York' is not known"),
        ("contract.columns.reason", {"dtype": "string"}, "added to the rows or to the quarantine"),
        ("contract.columns.grade.from", "", "at least 1 character"),
        ("timestamp", "Zeit", "'Zeit' cannot name a feature, key or target"),
        ("target.column", "Ausfall?", "with the source's name as its `from`"),
        ("features.columns", ["amount", "mean radius"], "'mean radius' cannot name a feature"),
        ("entity.name", "customer", "entity.name: ['customer'] not among"),
        ("entity.name", "error", "would hide the 'error' of every answer; give the column"),
        ("entity.name", "probabilities", "would hide the 'probabilities' of every answer"),
        ("entity.name", "features_as_of", "would hide the 'features_as_of' of every answer"),
        ("entity.name", "prediction", "would hide the 'prediction' of every answer"),
        ("entity.dtype", "string", "entity.dtype differs"),
        ("timestamp", "amount", "must be a datetime"),
        ("contract.columns.amount.max", -1, "min 0.0 is above max -1.0"),
        ("contract.columns.grade.min", 1, "min and max need a number, not string"),
        ("contract.unique", ["ids"], "unique: ['ids'] not among"),
        ("processing.drop_columns", ["amont"], "processing.drop_columns: ['amont'] not among"),
        ("processing.drop_columns", ["amount"], "features.columns: ['amount'] not among"),
        ("processing.fill_na", {"x": 0}, "processing.fill_na: ['x'] not among"),
        ("processing.categorical_encoding", [], "text features ['grade'] need"),
        ("processing.categorical_encoding", ["grade", "label"], "['label'] not among"),
        ("processing.categorical_encoding", {"grade": "hash"}, "Input should be 'one_hot'"),
        ("features.ttl", "a month", "'a month' is not a duration"),
        ("features.columns", ["amount", "grade", "label"], "is also a feature: a leak"),
        (
            "features.columns",
            ["amount", "grade", "time"],
            "datetime columns ['time'] cannot be features",
        ),
        ("features.columns", [], "`columns`, but not both"),
        ("features.dates", {"age": {"column": "tme", "part": "month"}}, "did you mean 'time'?"),
        (
            "features.dates",
            {"age": {"column": "grade", "part": "month"}},
            "'grade' is string; decl",
        ),
        ("features.dates", {"age": {"column": "time", "part": "age_days"}}, "of age 0 in each row"),
        ("features.dates", {"age": {"column": "time", "part": "minute"}}, "'age_days', 'month'"),
        ("features.dates", {"amount": {"column": "time", "part": "year"}}, "names ['amount']"),
        ("target.where", {"grade": "a"}, "`where` chooses events; over a flat table"),
        ("features.aggregates", {"n": {"agg": "count"}}, "both `snapshots` and `aggregates`"),
        ("target.column", "labell", "target.column: ['labell'] not among"),
        ("target.agg", "count", "needs both `agg` and `window`"),
        ("training.estimator", "LogisticRegression", "String should match pattern"),
        ("training.split", {"by": "time"}, "needs `test`"),
        ("training.split", {"by": "random"}, "needs `fraction`"),
        ("training.split", {"by": "time", "test": "3 moons"}, "String should match pattern"),
        ("evaluation.primary", "auc", "['auc'] not among"),
        ("evaluation.gate.limits", {"rmse": {"max": 1}}, "['rmse'] not among"),
        ("evaluation.gate.limits", {"roc_auc": {}}, "give `min`, `max` or both"),
        ("deployment.port", 80, "greater than or equal to 1024"),
        ("deployment.target", "kubernetes", "needs the block `deployment.cluster`"),
        ("deployment.target", "heroku", "Input should be 'local', 'kubernetes' or 'kserve'"),
    ],
)
def test_bad_values_are_refused(loans: dict[str, Any], path: str, value: Any, message: str) -> None:
    attributes = changed(loans, path, value)
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(attributes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("column", "task", "message"),
    [
        ({"dtype": "string"}, "binary", "set it to the text that is to be predicted, e.g. 'yes'"),
        ({"dtype": "string"}, "regression", "declare it as float64, or set target.task: multicl"),
        ({"dtype": "datetime"}, "binary", "the datetime 'label' is no target; name another"),
    ],
)
def test_a_target_that_its_task_cannot_learn_is_refused_at_load(
    loans: dict[str, Any], column: dict[str, Any], task: str, message: str
) -> None:
    changed(loans, "contract.columns.label", column)
    loans["target"]["task"] = task
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(loans)
    assert message in str(caught.value)


EVENT_LOG = {
    "snapshots": {"every": "1 month", "start": "2024-02-01"},
    "aggregates": {"spend": {"agg": "sum", "column": "amount"}},
    "ttl": "31d",
}
FUTURE = {"name": "again", "task": "binary", "agg": "count", "window": "30d", "at_least": 1}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("features.aggregates.spend.column", "amont", "['amont'] not among"),
        ("features.aggregates.spend.column", None, "sum takes a column"),
        ("features.aggregates.spend.agg", "count", "count takes no column"),
        ("features.columns", ["amount"], "but not both"),
        ("target.above", 2, "give `at_least` or `above`, not both"),
        ("target.positive", 1, "give `at_least` or `positive`, not both"),
        ("target.agg", "sum", "sum takes a column"),
        (
            "target",
            {"name": "n", "task": "regression", "agg": "nunique", "column": "id", "window": "9d"},
            "'id' says which row it is",
        ),
        ("features.aggregates.spend.where", {"grad": "a"}, "did you mean 'grade'?"),
        ("features.aggregates.spend.where", {"grade": []}, "at least 1 item"),
        ("features.aggregates.spend.where", {"grade": 1}, "[1] are no string, as 'grade' is; put"),
        ("features.aggregates.spend.where", {"amount": 1}, "'amount' is float64; name a column of"),
        ("target.where", {"label": 2}, "[2] are not among its allowed [0, 1]; name those"),
        ("features.dates", {"m": {"column": "time", "part": "month"}}, "but not both"),
        ("target.name", "spend", "share the names ['spend']"),
        ("features.aggregates.spend.column", "grade", "sum of 'grade': the column is no number"),
        ("target.task", "regression", "`at_least` makes a binary target"),
        ("target", {"name": "label", "task": "binary"}, "over an event log the target needs"),
    ],
)
def test_bad_event_logs_are_refused(
    loans: dict[str, Any], path: str, value: Any, message: str
) -> None:
    attributes = {**loans, "features": EVENT_LOG, "target": FUTURE, "processing": {}}
    assert ModelSettings.model_validate(attributes).feature_dtypes == {"spend": "float64"}
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(changed(copy.deepcopy(attributes), path, value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("target", "routed", "refused"),
    [
        ("local", False, ""),
        ("kubernetes", False, ""),
        ("kubernetes", True, ""),
        ("kserve", False, "gets its share of requests from a gateway"),
        ("kserve", True, ""),
    ],
)
def test_a_canary_needs_who_shares_the_requests(
    loans: dict[str, Any], target: str, routed: bool, refused: str
) -> None:
    cluster = {"image": "mlops:1", "claim": "state"}
    changed(loans, "deployment.target", target)
    changed(loans, "deployment.rollout", {"strategy": "canary"})
    changed(loans, "deployment.cluster", cluster | ({"gateway": {"name": "g"}} if routed else {}))
    if not refused:
        assert ModelSettings.model_validate(loans).deployment.rollout.strategy == "canary"
        return
    with pytest.raises(ValidationError, match=refused):
        ModelSettings.model_validate(loans)


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("deployment.workers", 2, "set cluster.replicas instead"),
        ("deployment.rollout.strategy", "shadow", "name it by cluster.gateway"),
        ("deployment.rate_limit", {"per_second": 5, "burst": 9}, "counted within one pod"),
        ("deployment.cluster.replicas", {"min": 3, "max": 2}, "max 2 is below replicas.min 3"),
        ("deployment.cluster.namespace", "Prod", "String should match pattern"),
        ("deployment.cluster.resources", {"memory": "1Gig"}, "String should match pattern"),
        ("deployment.cluster.secrets", {"password": {"name": "a", "key": "b"}}, "match pattern"),
        ("name", "a" * 51, "names no Service"),
        ("name", "loans_", "names no Service"),
        ("name", "loans__c", "no two `_` in a row"),
    ],
)
def test_what_a_cluster_cannot_do_is_refused_at_load(
    loans: dict[str, Any], target: str, path: str, value: Any, message: str
) -> None:
    changed(loans, "deployment.target", target)
    changed(loans, "deployment.cluster", {"image": "mlops:1", "claim": "state"})
    ModelSettings.model_validate(loans)
    attributes = changed(loans, path, value)
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(attributes)
    assert message in str(caught.value)


def test_the_clusters_block_waits_for_its_target(loans: dict[str, Any]) -> None:
    """One YAML for the laptop and the cluster: what a cluster cannot do stays possible here."""
    changed(loans, "deployment.cluster", {"image": "mlops:1", "claim": "state"})
    attributes = changed(loans, "deployment.workers", 2)
    assert ModelSettings.model_validate(attributes).deployment.target == "local"


def test_partitions_need_a_timestamp_and_keys_that_lie_in_one(loans: dict[str, Any]) -> None:
    loans["partitions"] = {"cadence": "day", "start": "2024-01-01"}
    ModelSettings.model_validate(changed(loans, "contract.unique", ["id", "time"]))
    with pytest.raises(ValidationError, match="rows of two partitions are never compared"):
        ModelSettings.model_validate(changed(loans, "contract.unique", ["id"]))
    loans["training"]["split"] = {"by": "random", "fraction": 0.2}
    del loans["timestamp"]
    with pytest.raises(ValidationError, match="of a partition by its `timestamp`"):
        ModelSettings.model_validate(loans)
