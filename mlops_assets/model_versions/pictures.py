"""An evaluated version in pictures: how it answers, what it looks at, if more rows would help."""

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.metadata import by_column, typed_table
from mlops_assets.ml.evaluation.gate import LOSSES
from mlops_assets.ml.evaluation.importance import permutation_importance
from mlops_assets.ml.frames import Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.plots.evaluation import evaluation_plots
from mlops_assets.ml.plots.training import importance_plot, learning_plot
from mlops_assets.ml.rows import to_row
from mlops_assets.ml.training.learning_curve import learning_curve
from mlops_assets.model_versions.choice import as_fitted
from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.tracking import MLflowTracking


def pictured(
    held_out: Scored,
    rows: Split,
    model: ModelVersion,
    settings: ModelSettings,
    tracking: MLflowTracking,
) -> tuple[dict[str, dg.TableMetadataValue], dict[str, bytes]]:
    """What the version looks at and how it learns, as tables; and all pictures, PNG by name.

    Args:
        held_out: What the version says of `rows.test`.
        rows: What it was trained on, and the held-out rows.
        model: The version.
        settings: Of the model; what the training chose is read of the version's record.
        tracking: Where that is.
    """
    target, task = rows.test[settings.target.name], held_out.task
    trained, _ = as_fitted(model, settings, tracking)
    importance = permutation_importance(held_out, target, settings.training.seed)
    learning = learning_curve(held_out, rows, trained)
    loss = LOSSES[task]
    plots = evaluation_plots(held_out.scores, target, task, held_out.classes)
    plots["importance"] = importance_plot(importance, loss, settings.titles)
    if len(learning) > 1:
        plots["learning_curve"] = learning_plot(learning, loss)
    features = [{"column": one.feature, **to_row(one)} for one in importance]
    tables = by_column(features, {"importance": ("added_loss", "deviation")})
    if learning:
        tables["learning"] = typed_table([to_row(point) for point in learning])
    return tables, plots
