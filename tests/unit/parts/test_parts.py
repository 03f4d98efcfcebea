"""Each stage alone, over tables of strangers: no timestamp, no entity, umlauts, texts as target."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.data import ProcessingSettings
from mlops_assets.errors import ConfigError, ContractError, FeatureError, TrainingError
from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.parts.data_processor import DataProcessor
from mlops_assets.parts.feature_engineer import FeatureEngineer
from mlops_assets.parts.model_evaluator import ModelEvaluator
from mlops_assets.parts.model_trainer import ModelTrainer

CONTRACT = {
    "columns": {
        "groesse": {"from": "Größe (cm)", "dtype": "float64", "nullable": True},
        "wohnort": {"from": "Wohnort", "dtype": "string"},
        "gekuendigt": {"from": "Gekündigt?", "dtype": "string", "allowed": ["ja", "nein"]},
    },
    "extra_columns": "drop",
    "max_bad_fraction": 0.05,
}
TARGET = {"name": "gekuendigt", "task": "binary", "positive": "ja"}
FEATURES = {"columns": ["groesse", "wohnort"]}


def strangers(rows: int = 400) -> pd.DataFrame:
    """A table with umlauts, gaps and an index of its own, that nobody prepared for us."""
    rng = np.random.default_rng(3)
    size = rng.normal(175, 10, rows).round(1)
    town = rng.choice(["Köln", "Zürich", "Łódź"], rows)
    leaves = rng.uniform(size=rows) < 1 / (1 + np.exp((170 - size) / 6))
    frame = pd.DataFrame(
        {
            "Größe (cm)": size,
            "Wohnort": town,
            "Notiz": "—",
            "Gekündigt?": np.where(leaves, "ja", "nein"),
        },
        index=rng.permutation(rows) + 7,
    )
    frame.loc[frame.index[5], "Größe (cm)"] = np.nan
    frame.loc[frame.index[6], "Gekündigt?"] = "vielleicht"
    return frame


def engineered() -> pd.DataFrame:
    processed = DataProcessor({"fill_na": {"groesse": 175.0}}, CONTRACT).run(strangers())
    return FeatureEngineer(FEATURES, target=TARGET).run(processed.rows)


def trainer(**training: Any) -> ModelTrainer:
    block = {"estimator": "sklearn.linear_model.LogisticRegression", "scale": True, **training}
    return ModelTrainer(block, TARGET, processing={"categorical_encoding": ["wohnort"]})


def test_a_strangers_table_goes_all_the_way() -> None:
    before = strangers()
    trained = trainer().run(engineered())
    found = ModelEvaluator({"primary": "roc_auc", "gate": {"max_size_mb": 1}}).run(trained)
    assert len(trained.rows.train) + len(trained.rows.test) == 399
    assert found.metrics["roc_auc"] > 0.8
    assert found.decision.promoted
    assert found.baseline is not None
    assert found.not_measured == ("size_mb",)
    pd.testing.assert_frame_equal(before, strangers())


def test_what_breaks_the_contract_is_handed_back_with_its_reason() -> None:
    processed = DataProcessor({}, CONTRACT).run(strangers())
    assert len(processed.rows) == 399
    assert list(processed.rows) == ["groesse", "wohnort", "gekuendigt"]
    (bad,) = processed.bad.to_dict("records")
    assert bad["row"] == 6
    assert "'vielleicht' is not one of" in bad["reason"]


def test_more_bad_rows_than_the_contract_allows_are_refused_with_an_example() -> None:
    strict = {**CONTRACT, "max_bad_fraction": 0.001}
    with pytest.raises(ContractError, match=r"1 of 400 rows break .* e\.g\. row 6: .*vielleicht"):
        DataProcessor({}, strict).run(strangers())
    with pytest.raises(ContractError, match="the frame has no rows"):
        DataProcessor({}, CONTRACT).run(strangers().head(0))


def test_a_frame_without_rows_is_refused_as_that_by_each_stage() -> None:
    rows = pd.DataFrame({"id": ["a"], "x": [1.0], "y": [0]}).head(0)
    target, entity = {"name": "y", "task": "binary"}, {"name": "id", "dtype": "string"}
    with pytest.raises(FeatureError, match="the frame has no rows"):
        FeatureEngineer({"columns": ["x"]}, target, entity).run(rows)
    with pytest.raises(TrainingError, match="the frame has no rows"):
        ModelTrainer({"estimator": "auto"}, target, entity).run(rows)


def test_without_a_contract_a_frame_keeps_its_names_and_types() -> None:
    frame = strangers()
    block = ProcessingSettings(drop_columns=("Notiz",), fill_na={"Größe (cm)": 0.0})
    rows, bad = DataProcessor(block).run(frame)
    assert list(rows) == ["Größe (cm)", "Wohnort", "Gekündigt?"]
    assert rows["Größe (cm)"].iloc[5] == 0
    assert bad.empty


def test_texts_are_read_by_the_marks_of_the_source() -> None:
    contract = {"columns": {"x": {"dtype": "float64"}}}
    source = {"uri": "a.csv", "decimal": ",", "thousands": "."}
    frame = pd.DataFrame({"x": ["7.500", "1,5"]})
    assert DataProcessor({}, contract, source).run(frame).rows["x"].tolist() == [7500.0, 1.5]


def test_a_name_that_no_feature_can_have_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"'Größe \(cm\)' cannot name a feature.*contract"):
        FeatureEngineer({"columns": ["Größe (cm)"]}, target=TARGET).run(strangers())


def test_a_misspelt_column_is_refused_with_the_likely_one() -> None:
    rows = DataProcessor({}, CONTRACT).run(strangers()).rows
    with pytest.raises(ConfigError, match=r"'grosse'.* did you mean 'groesse'"):
        FeatureEngineer({"columns": ["grosse"]}, target=TARGET).run(rows)


def test_a_column_of_several_types_is_refused_by_name() -> None:
    frame = pd.DataFrame({"a": [1, "two", None], "y": [0, 1, 0]})
    with pytest.raises(ConfigError, match=r"\{'a': 'mixed-integer'\} hold no values of one type"):
        FeatureEngineer({"columns": ["a"]}, target={"name": "y", "task": "binary"}).run(frame)


def test_a_feature_without_values_is_refused() -> None:
    frame = pd.DataFrame({"a": [np.nan] * 3, "y": [0, 1, 0]})
    with pytest.raises(FeatureError, match=r"\['a'\] have no value in any row"):
        FeatureEngineer({"columns": ["a"]}, target={"name": "y", "task": "binary"}).run(frame)


def test_texts_may_be_the_classes_and_any_table_is_trained_on() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    frame = pd.DataFrame(
        {"a": a, "colour": np.select([a < -0.5, a > 0.5], ["rot", "grün"], "blau")}
    )
    target = {"name": "colour", "task": "multiclass"}
    trained = ModelTrainer({"estimator": "sklearn.linear_model.LogisticRegression"}, target).run(
        frame
    )
    found = ModelEvaluator({"primary": "accuracy"}).run(trained)
    assert found.metrics["accuracy"] > 0.9
    shares = trained.scores(pd.DataFrame({"a": [-2.0, 2.0]}))
    assert [trained.pipeline.classes_[row.argmax()] for row in shares] == ["rot", "grün"]


def test_text_features_ask_for_an_encoding() -> None:
    with pytest.raises(ConfigError, match=r"text features \['wohnort'\] need processing"):
        ModelTrainer({}, TARGET).run(engineered())


def test_a_model_that_beats_nothing_is_refused_and_so_is_one_worse_than_the_champion() -> None:
    frame = engineered()
    good = trainer().run(frame)
    coin = frame.assign(groesse=np.random.default_rng(1).normal(size=len(frame)), wohnort="x")
    bad = trainer().run(coin)
    gate = ModelEvaluator({"primary": "roc_auc"})
    assert "nothing shows that it knows more" in gate.run(bad).decision.reasons[0]
    beside = gate.run(bad, champion=good.pipeline)
    assert beside.comparison is not None
    assert not gate.run(good, champion=bad.pipeline).decision.reasons


def test_an_event_log_is_split_as_in_the_graph() -> None:
    """The label window of a training row never reaches into the test period."""
    keys: dict[str, Any] = {"entity": {"name": "customer"}, "timestamp": "at"}
    rng = np.random.default_rng(0)
    events = pd.DataFrame(
        {
            "customer": rng.integers(0, 60, 3000),
            "at": pd.Timestamp("2024-01-01", tz="UTC")
            + pd.to_timedelta(rng.uniform(0, 360, 3000), unit="D"),
        }
    )
    block = {
        "snapshots": {"every": "1 month", "start": "2024-02-01"},
        "aggregates": {"visits": {"agg": "count", "window": "60d"}},
    }
    window = pd.Timedelta("45d")
    target = {"name": "visits_next", "task": "regression", "agg": "count", "window": "45d"}
    features = FeatureEngineer(block, target, **keys).run(events)
    training = {
        "estimator": "sklearn.linear_model.LinearRegression",
        "split": {"by": "time", "test": "2 months"},
    }
    rows = ModelTrainer(training, target, **keys).run(features).rows
    assert rows.train["event_timestamp"].max() + window <= rows.test["event_timestamp"].min()
    assert features["visits_next"].isna().any()  # the newest months are not known yet


def test_no_orchestrator_tracking_server_or_feature_store_is_imported() -> None:
    used = """
import sys
import numpy as np, pandas as pd
from mlops_assets.parts.data_processor import DataProcessor
from mlops_assets.parts.feature_engineer import FeatureEngineer
from mlops_assets.parts.model_evaluator import ModelEvaluator
from mlops_assets.parts.model_trainer import ModelTrainer

a = np.random.default_rng(0).normal(size=200)
rows = DataProcessor({}).run(pd.DataFrame({"a": a, "y": (a > 0).astype(int)})).rows
target = {"name": "y", "task": "binary"}
frame = FeatureEngineer({"columns": ["a"]}, target=target).run(rows)
trained = ModelTrainer({"estimator": "sklearn.linear_model.LogisticRegression"}, target).run(frame)
ModelEvaluator({"primary": "roc_auc"}).run(trained)
ours = ("dagster", "mlflow", "feast", "bentoml", "dvc", "evidently", "resources")
print(sorted({name.partition(".")[0] for name in sys.modules} & set(ours)))
"""
    done = subprocess.run(
        [sys.executable, "-c", used],
        cwd=FRAMEWORK_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
