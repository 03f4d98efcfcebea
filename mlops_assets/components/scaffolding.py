"""`dg scaffold defs mlops_assets.components.ModelPipeline NAME`: a model's folder.

With `--data` and `--target` it is what `mlops init` infers, else a complete example that loads.
"""

import subprocess
import sys
from contextlib import suppress

import dagster as dg
from pydantic import BaseModel, Field

_EXAMPLE = {
    "entity": {"name": "id", "dtype": "int64"},
    "timestamp": "time",
    "contract": {
        "columns": {
            "id": {"dtype": "int64"},
            "time": {"dtype": "datetime"},
            "amount": {"dtype": "float64", "min": 0},
            "label": {"dtype": "int64", "allowed": [0, 1]},
        }
    },
    "features": {"columns": ["amount"], "ttl": "30d"},
    "target": {"name": "target", "task": "binary", "column": "label"},
    "training": {"split": {"by": "time", "test": "1 month"}},
    "evaluation": {
        "primary": "roc_auc",
        "gate": {"limits": {"roc_auc": {"min": 0.6}}},
    },
    "deployment": {"target": "local", "port": 8103},
}


class TableParams(BaseModel):
    """What `mlops init` is asked; nothing for the example."""

    data: str = Field("", description="A table: a file, folder, glob or address.")
    target: str = Field("", description="The column to predict.")
    yes: bool = Field(False, description="Take what is likely; ask nothing.")


class ModelPipelineScaffolder(dg.Scaffolder[TableParams]):
    """Writes the folder of one model, named after it."""

    @classmethod
    def get_scaffold_params(cls) -> type[TableParams]:
        """What `dg scaffold` has options for."""
        return TableParams

    def scaffold(self, request: dg.ScaffoldRequest[TableParams]) -> None:
        """Write it; where `mlops init` refuses, leave no folder and end as it does."""
        name, params = request.target_path.name, request.params
        if not params.data:
            dg.scaffold_component(
                request, {"name": name, "source": {"uri": f"sources/{name}.csv"}, **_EXAMPLE}
            )
            return
        command = [sys.executable, "-m", "mlops_assets", "init", params.data, "--name", name]
        command += ["--target", params.target] + ["--yes"] * params.yes
        # Another process: what infers stands above the components, and asks on this terminal.
        code = subprocess.run(command, check=False).returncode  # noqa: S603  no shell
        if code:
            with suppress(OSError):
                request.target_path.rmdir()
            raise SystemExit(code)
