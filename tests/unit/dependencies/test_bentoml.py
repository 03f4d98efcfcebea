"""What `serving.process.workers` relies on in BentoML. Where it fails, look at that module."""

import subprocess
import sys

from mlops_assets.serving.process.workers import _IMPORTED
from tests.support.servers import ROOT

SERVICE = """
import sys
from mlops_assets.serving.process.service import EndpointService
before = {*sys.modules}
EndpointService.to_asgi()
print(*{*sys.modules} - before)
"""


def test_the_template_imports_what_bentoml_imports_when_it_is_first_used() -> None:
    """Or each fork of a worker would pay for it again."""
    done = subprocess.run(
        [sys.executable, "-c", SERVICE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {name for name in _IMPORTED if name.startswith("_bentoml")} <= {*done.stdout.split()}
