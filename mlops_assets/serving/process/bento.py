"""What a built Bento does first: give the worker an endpoint folder that it may write.

The Bento holds the version and its manifest, and may be read-only. The workers' state, above all
the prediction log, goes to MLOPS_ENDPOINT, by default a folder under BENTOML_HOME: mount it, or the
log ends with the container.
"""

import os
from pathlib import Path

from mlops_assets.records.files import MANIFEST_FILE
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.atomic import write_atomically
from mlops_assets.serving.environment import ENDPOINT
from mlops_assets.serving.process.connections import keep_connections_so


def unpack(bundle: Path) -> Path:
    """Point the manifest at the version in `bundle`; every worker may do it at the same time."""
    manifest = Manifest.model_validate_json((bundle / MANIFEST_FILE).read_bytes())
    manifest = manifest.model_copy(update={"folder": str(bundle / manifest.folder)})
    keep_connections_so()
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # whom to believe is the guard's to say, not uvicorn's
    root = Path(os.environ.get("BENTOML_HOME", Path.home() / "bentoml"))
    default = root / "endpoints" / manifest.model_name
    endpoint = Path(os.environ.setdefault(ENDPOINT, str(default)))
    content = manifest.model_dump_json(indent=2).encode()
    file = endpoint / MANIFEST_FILE
    if not file.exists() or file.read_bytes() != content:
        write_atomically(file, lambda path: path.write_bytes(content))
    return endpoint
