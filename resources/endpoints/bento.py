"""Bentos: the deployed version with its serving code and pinned packages, for another machine.

Built without a network and without Docker; `bentoml containerize` makes an image of it where there
is an engine. It holds the digests of the API keys, no key, and none of the deployer's.

Endpoints of this project do not run from Bentos: `resources.endpoints.process` starts them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import yaml
from pydantic import Field

from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import MANIFEST_FILE, MODEL_FILE
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.atomic import ensure_folder
from mlops_assets.runtime.telemetry import SWITCHES
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.worker_code import PACKAGE, worker_files

_PACKAGES = (
    "bentoml", "msgspec", "numpy", "onnxruntime", "prometheus-client", "psutil", "pydantic",
    "uvicorn",
)  # fmt: skip
_SKLEARN, _FEAST = ("pandas", "scikit-learn", "skops"), ("feast", "pandas")
_SERVICE = '''"""The service of this Bento."""

from pathlib import Path

from mlops_assets.serving.process.bento import unpack

unpack(Path(__file__).parent / "endpoint")

from mlops_assets.serving.process.service import EndpointService  # noqa: E402  as `unpack` says

__all__ = ["EndpointService"]
'''


class BentoBuilder(dg.ConfigurableResource):
    """Builds Bentos of what the local endpoints serve."""

    endpoints: str = Field(description="Folder of the endpoints, one folder for each model.")
    root: str = Field(description="BENTOML_HOME of the Bentos, unless another is named.")

    def build(self, model: str, out: Path | None = None) -> Path:
        """Build the Bento of the version that last passed every check; the folder it lies in.

        Raises:
            DeploymentError: Nothing was deployed yet, or BentoML refuses.
        """
        home = ensure_folder((out or Path(self.root)).absolute())
        manifest = EndpointFolder(Path(self.endpoints, model)).verified()
        if manifest is None:
            raise DeploymentError(f"no version of {model!r} is deployed; run `mlops run {model}`")
        # One Bento for each generation: the same version may be deployed with other limits.
        name = f"{model}:v{manifest.model_version}-{manifest.generation}"
        target = home / "bentos" / name.replace(":", "/")
        if target.exists():
            return target
        with tempfile.TemporaryDirectory() as context:
            write_context(Path(context), manifest)
            build = [sys.executable, "-m", "bentoml", "build", ".", "--version", target.name]
            environment = {**os.environ, **SWITCHES, "BENTOML_HOME": str(home)}
            environment["MLOPS_ENDPOINT"] = f"{context}.state"
            # The code in the context, as it will run, and not what is installed here.
            environment["PYTHONPATH"] = context
            done = subprocess.run(  # noqa: S603  names of models are checked by the YAML's schema
                build, cwd=context, env=environment, capture_output=True, text=True, check=False
            )
            shutil.rmtree(f"{context}.state", ignore_errors=True)
        if done.returncode != 0:
            raise DeploymentError(f"BentoML did not build {name}: {done.stderr.strip()[-1000:]}")
        return target


def write_context(context: Path, manifest: Manifest) -> None:
    """Write all that goes into the Bento."""
    for module in worker_files():
        copy = context / PACKAGE.name / module.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, copy)
    number = str(manifest.model_version)
    shutil.copytree(manifest.folder, context / "endpoint" / number)
    limits = manifest.limits.model_copy(update={"operator_digest": None})
    changes = {"folder": number, "previous": None, "limits": limits}
    packed = manifest.model_copy(update=changes).model_dump_json(indent=2)
    (context / "endpoint" / MANIFEST_FILE).write_text(packed, encoding="utf-8")
    (context / "bento_service.py").write_text(_SERVICE, encoding="utf-8")
    recipe = yaml.safe_dump(recipe_of(manifest), sort_keys=False)
    (context / "bentofile.yaml").write_text(recipe, encoding="utf-8")


def recipe_of(manifest: Manifest) -> dict[str, object]:
    """The bentofile: named packages in exactly the versions that answered the recorded requests."""
    from mlops_assets.ml.inference.model_files import distributions_in
    from mlops_assets.serving.version.model import read_servable

    folder = Path(manifest.folder)
    needed = {*_PACKAGES}
    if read_servable(folder).inference.runtime == "scikit-learn":
        needed |= {*_SKLEARN, *distributions_in((folder / MODEL_FILE).read_bytes())}
    needed |= {*_FEAST} if manifest.online.lookup == "feast" else set()
    pins = [f"{name}=={version(name)}" for name in sorted(needed)]
    return {
        "service": "bento_service:EndpointService",
        "name": manifest.model_name,
        "labels": {"model_version": str(manifest.model_version)},
        "include": ["**/*.py", "**/*.html", "endpoint/**"],
        # Locking asks the network; what is pinned is what served here.
        "python": {"packages": pins, "lock_packages": False},
        "envs": [
            *({"name": name, "value": value} for name, value in SWITCHES.items()),
            {"name": "OMP_NUM_THREADS", "value": "1"},
        ],
        "docker": {"python_version": f"{sys.version_info.major}.{sys.version_info.minor}"},
    }
