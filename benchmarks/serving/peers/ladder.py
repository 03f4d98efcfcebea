"""Our endpoint without its outer layers, to see what each costs; LADDER_RUNG names the outermost.

`answer` computes and answers; `log` also logs; `metrics` counts in files that several workers
share; `guard` stands before it; `bento` is that again, reached through BentoML's own routes.
"""

import os
import shutil
import tempfile
from pathlib import Path

from mlops_assets.records.serving import Manifest

RUNGS = ("answer", "log", "metrics", "guard", "bento")
_height = RUNGS.index(os.environ["LADDER_RUNG"])

_served, _endpoint = Path(os.environ["PEER_ENDPOINT"]), Path(tempfile.mkdtemp()) / "flights"
shutil.copytree(_served, _endpoint)
# Its online features stay where they are.
_manifest = Manifest.read((_served / "deployment.json").read_bytes(), _served)
_log = _manifest.log.model_copy(update={"enabled": _height >= RUNGS.index("log")})
_logged = _manifest.model_copy(update={"log": _log}).model_dump_json()
(_endpoint / "deployment.json").write_text(_logged, encoding="utf-8")
os.environ["MLOPS_ENDPOINT"] = str(_endpoint)
if _height >= RUNGS.index("metrics"):  # before the library is imported
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp()

if _height == RUNGS.index("bento"):
    from mlops_assets.serving.process.service import EndpointService

    app = EndpointService.to_asgi()
else:
    from mlops_assets.serving.api.app import EndpointApp
    from mlops_assets.serving.api.guard import Guard
    from mlops_assets.serving.api.rates import Buckets
    from mlops_assets.serving.version.holder import ModelHolder

    _holder = ModelHolder(_endpoint)
    _holder.start()
    app = EndpointApp(_holder)
    if _height >= RUNGS.index("guard"):
        app = Guard(app, _holder.limits, app.count, Buckets())
