# %% [markdown]
# # What a model has become
#
# Run in the folder of a project, or below it. Nothing here changes its state.

# %%
import mlops_assets

features = mlops_assets.load("loans/features")
features.head(3)

# %% [markdown]
# Processed rows and features are kept by the version of the data that they are made of, and so is
# every delivery of the source.

# %%
data = features.attrs["raw"]["md5"]
raw = mlops_assets.load("loans/raw_data", version=data[:8])
len(raw), list(raw.columns)

# %% [markdown]
# A record is what a stage found, typed; a model is a fitted pipeline.

# %%
report = mlops_assets.load("loans/evaluation_report")
report.decision.promoted, report.test_rows, sorted(report.metrics)

# %%
champion = mlops_assets.load("loans/model@champion")
[name for name, _ in champion.steps]

# %% [markdown]
# Who was champion when, and why:

# %%
mlops_assets.history("loans")[["sequence", "from_version", "to_version", "why"]]

# %% [markdown]
# `score` answers as the endpoint does, to the last bit, and logs nothing. It takes rows of the
# source, or features; a row that breaks the contract has the reason in place of a prediction.

# %%
new = raw.head(3).assign(amount=["12.5", "-1", "80"])
mlops_assets.score("loans", new)[["id", "model_version", "refused"]]

# %% [markdown]
# What is not there is refused by name:

# %%
try:
    mlops_assets.load("loans/feature")
except Exception as err:
    print(err)
