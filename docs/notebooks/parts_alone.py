# %% [markdown]
# # The parts alone
#
# Data processor, feature engineer, model trainer and model evaluator are callables over a frame and
# their block of the YAML. They are what the assets of the graph call, and need neither Dagster, nor
# a tracking server, nor a feature store.

# %%
import numpy as np
import pandas as pd

from mlops_assets.parts.data_processor import DataProcessor
from mlops_assets.parts.feature_engineer import FeatureEngineer
from mlops_assets.parts.model_evaluator import ModelEvaluator
from mlops_assets.parts.model_trainer import ModelTrainer

rng = np.random.default_rng(3)
height = rng.normal(175, 10, 600).round(1)
leaves = rng.uniform(size=600) < 1 / (1 + np.exp((170 - height) / 6))
members = pd.DataFrame(
    {
        "Größe (cm)": height,
        "Wohnort": rng.choice(["Köln", "Zürich", "Łódź"], 600),
        "Gekündigt?": np.where(leaves, "ja", "nein"),
    }
)
members.loc[3, "Größe (cm)"] = None
members.loc[8, "Gekündigt?"] = "vielleicht"
members.head(4)

# %% [markdown]
# ## Data processor
#
# A contract gives columns names and types; a row that breaks it is handed back with the reason.

# %%
contract = {
    "columns": {
        "height": {"from": "Größe (cm)", "dtype": "float64", "nullable": True},
        "town": {"from": "Wohnort", "dtype": "string"},
        "leaves": {"from": "Gekündigt?", "dtype": "string", "allowed": ["ja", "nein"]},
    }
}
processor = DataProcessor({"fill_na": {"height": 175.0}}, contract)
processed = processor.run(members)
processed.bad[["row", "reason"]]

# %% [markdown]
# ## Feature engineer
#
# The target is a text here. Without an entity a row is known by its number, without a timestamp it
# is as of now.

# %%
target = {"name": "leaves", "task": "binary", "positive": "ja"}
engineer = FeatureEngineer({"columns": ["height", "town"]}, target=target)
features = engineer.run(processed.rows)
features[["row", "leaves", "height", "town"]].head(4)

# %% [markdown]
# ## Model trainer
#
# It holds rows out, chooses and tunes if asked to, and fits. Encodings are part of the pipeline.

# %%
training = {"estimator": "sklearn.linear_model.LogisticRegression", "scale": True}
trainer = ModelTrainer(training, target, processing={"categorical_encoding": ["town"]})
trained = trainer.run(features)
len(trained.rows.train), len(trained.rows.test), type(trained.pipeline).__name__

# %% [markdown]
# ## Model evaluator
#
# Without limits the gate asks that the model is shown to know more than the prior; a model without
# the one feature that tells something is refused.

# %%
evaluator = ModelEvaluator({"primary": "roc_auc"})
found = evaluator.run(trained)
found.decision.promoted, round(found.metrics["roc_auc"], 2)

# %%
blind = trainer.run(features.assign(height=0.0))
print(*evaluator.run(blind).decision.reasons)

# %% [markdown]
# Beside another pipeline on the same held-out rows, as the champion of the registry would be:

# %%
tuned = ModelTrainer(
    {**training, "params": {"C": 0.5}}, target, processing={"categorical_encoding": ["town"]}
).run(features)
evaluator.run(tuned, champion=trained.pipeline).comparison.passed

# %% [markdown]
# ## The blocks of a YAML
#
# A model's YAML holds the same blocks, so a stage of it can be tried by itself:
#
# ```python
# blocks = yaml.safe_load(open("defs/churn/defs.yaml"))["attributes"]
# DataProcessor(blocks.get("processing", {}), blocks["contract"]).run(frame)
# ```
