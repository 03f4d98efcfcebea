"""Write docs/reference/yaml.md from the schema in `mlops_assets.config`; held by a test."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlops_assets.blocks.base import Scalar
from mlops_assets.blocks.evaluation import METRICS
from mlops_assets.blocks.training import Parameter
from mlops_assets.config import ModelSettings

TARGET = Path(__file__).with_name("reference") / "yaml.md"
_HEADER = """\
# The YAML of a model

`mlops_assets/defs/<model>/defs.yaml` holds `type: mlops_assets.components.ModelPipeline` and,
under `attributes`, the keys below. Unknown keys are refused. Durations are written `90d`, `12h`,
`30min`, `45s` or `2w`; steps of the calendar `1 month` or
`3 months`, of a split also `2 hours`. Any value may be a template:
`{{ env.NAME }}` or `{{ env('NAME', default) }}`.

`mlops check` says every fault of every file in a line, `FILE:LINE: what; remedy`: of the YAML, of
how its blocks fit together, and of the estimator, parameters and loader that it names. So does
`mlops run`, before the model's run starts.

`dg check yaml mlops_assets/defs/<model>` checks each value (name the folder: without one, dg 1.13
looks at just one of several files of a component type). `dg check defs`, and every command that
loads the model, also check how blocks fit together, e.g. that a feature is a column.

Written by `docs/yaml_reference.py`.


## A table without ids or times

Leave `entity` and `timestamp` out: this is all that such a table needs.

```yaml
type: mlops_assets.components.ModelPipeline
attributes:
  name: wine
  source: {uri: sources/wine.csv}
  contract:
    columns:
      alcohol: {dtype: float64, min: 0}
      colour: {dtype: float64, min: 0}
      grower: {dtype: string}
  features: {columns: [alcohol, colour]}
  target: {name: grower, task: multiclass}
  training: {estimator: sklearn.linear_model.LogisticRegression, scale: true}
  evaluation: {primary: log_loss}
  deployment: {port: 8104}
```

Without an `entity` the model is asked by `POST /predict_features` alone. Nothing is published to
the online store, and what happens by id is not there: `POST /predict`, `mlops predict`, labels,
`skew_report`, and the checks that compare what is online with what is offline. Drift is watched,
and a binary model's loss estimated. To train on drift where there is no estimate, set
`monitoring.retrain.on_drift: train`.

Without a `timestamp` a row is as of its delivery: the moment at which `raw_data` first found this
content, which stays the same however often it is read. Of several rows of one entity the last in
the delivery is its newest. The split is at random; a prediction's label is what a later delivery
says of its entity.

A random split holds out as many of each class, an entity with all its rows, and in the next
delivery the same ones again, but for a few.


## Defaults of all models

`defaults.yaml` in the folder of the models (`defs/`, in the checkout `mlops_assets/defs/`) holds
attributes that every model there has, unless its own file says otherwise; no `type`, no
`attributes:` around them, no `name`.

```yaml
owners: ["team:credit"]
training:
  estimator: sklearn.ensemble.HistGradientBoostingClassifier
  params: {max_iter: 200}
  split: {by: time, test: 1 month}
evaluation:
  primary: roc_auc
  gate: {limits: {roc_auc: {min: 0.7}}}
schedule: {train: "0 0 * * 0"}
```

A model's own attributes are laid over these, block by block:

| the model's file says | it has |
|---|---|
| nothing of a key | the default |
| a value or a list | its own; lists are not joined |
| some keys of a block | those, and the other keys of the default |
| null | neither: what a file without defaults would have that says nothing |
| `training.params` | these alone |
| another `training.estimator` | that one, without the default's `params` |

So `evaluation: {gate: {limits: {roc_auc: {min: 0.8}}}}` is all that a model says whose gate is
higher. What comes out is what a model is: `mlops check` and `mlops init` look at it, each version
keeps it, and where a change of the defaults changes a block of a model, what was made by that block
is out of date. A fault is said of the file and line that has it.
"""
_WORDS = {
    **{bool: "true/false", int: "integer", float: "number", str: "text"},
    **{timedelta: "duration", datetime: "date"},
    Parameter: "value, estimator, or list",
}


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEADER, *_block("attributes", ModelSettings, set()), *_metrics()]
    return "\n".join(parts) + "\n"


def _block(path: str, model: type[BaseModel], seen: set[type]) -> list[str]:
    seen.add(model)
    lines = [f"\n## {path}\n", (model.__doc__ or "").split("\n\n")[0], "", "| key | value | |"]
    lines.append("|---|---|---|")
    blocks = []
    for name, field in model.model_fields.items():
        lines.append(
            f"| `{field.alias or name}` | {_type(field)}{_default(field)} | {_text(field)} |"
        )
        blocks += [(f"{path}.{name}{suffix}", inner) for suffix, inner in _inner(field.annotation)]
    for inner_path, inner in blocks:
        if inner not in seen:
            lines += _block(inner_path.removeprefix("attributes."), inner, seen)
    return lines


def _inner(annotation: Any) -> list[tuple[str, type[BaseModel]]]:
    """The settings inside an annotation, with what stands between in the YAML."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [("", annotation)]
    arguments = getattr(annotation, "__args__", ())
    suffix = ".NAME" if getattr(annotation, "__origin__", None) is dict else ""
    return [(suffix, inner) for argument in arguments for _, inner in _inner(argument)]


def _type(field: FieldInfo) -> str:
    if _inner(field.annotation):
        return "blocks by name" if get_origin(field.annotation) is dict else "block"
    return _spell(field.annotation)


def _spell(annotation: Any) -> str:
    """A type in a reader's words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _spell(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        return f"{_spell(arguments[1])} by name"
    if origin in (tuple, list):
        return f"list of {_spell(arguments[0])}"
    if annotation == Scalar:
        return "value"
    if arguments:
        spelled = [_spell(argument) for argument in arguments if argument is not type(None)]
        return " or ".join(spelled)
    return _WORDS.get(annotation, annotation.__name__)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ", required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, timedelta):
        return f", default `{int(default.total_seconds())}s`"
    if default in (None, (), {}, "") or isinstance(default, BaseModel):
        return ""
    if isinstance(default, tuple):
        return f", default `{list(default)}`"
    return f", default `{str(default).lower() if isinstance(default, bool) else default}`"


def _text(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def _metrics() -> list[str]:
    lines = ["\n## Metrics\n", "| task | metrics |", "|---|---|"]
    return lines + [f"| {task} | {', '.join(sorted(names))} |" for task, names in METRICS.items()]


if __name__ == "__main__":
    main()
