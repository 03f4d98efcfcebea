"""A deployment from a checkout whose serving code does not start."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from resources.deployment import EndpointTargets
from tests.support.served.live_endpoints import Subject

ROOT = Path(__file__).resolve().parents[3]
_REDEPLOY = """
import sys
from mlops_assets.blocks.operation import DeploymentSettings
from resources.deployment import EndpointTargets

root, version, settings = sys.argv[1:]
settings = DeploymentSettings.model_validate_json(settings)
EndpointTargets(root=root).redeploy("toy", int(version), settings)
"""


def redeploy_with_broken_code(folder: Path, subject: Subject, version: int) -> str:
    """Try it by a process of that checkout; what it said on stderr."""
    assert isinstance(subject.deployer, EndpointTargets)
    checkout = folder / "checkout"
    for name in ("mlops_assets", "resources"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)  # what a checkout is known by
    workers = checkout / "mlops_assets" / "serving" / "process" / "workers.py"
    workers.write_text("import a_library_that_is_not_installed\n", encoding="utf-8")
    settings = subject.settings.model_dump_json()
    done = subprocess.run(
        [sys.executable, "-c", _REDEPLOY, subject.deployer.root, str(version), settings],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr
