"""Which of this project's files a worker imports: what restarts workers, and goes into a Bento."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlops_assets

PACKAGE = Path(mlops_assets.__file__).parent
_CODE = (
    "__init__.py", "attributes.py", "config.py", "dotted.py", "errors.py", "redaction.py",
    "ml/__init__.py", "ml/estimators.py", "ml/file_part.py", "ml/frames.py", "ml/inference",
    "blocks", "records", "runtime", "serving",
)  # fmt: skip
_LIBRARIES = (
    "scikit-learn", "skops", "numpy", "pandas", "onnxruntime", "feast", "bentoml", "uvicorn",
    "httptools", "msgspec", "prometheus-client",
)  # fmt: skip
_EXTRAS = ("catboost", "lightgbm", "xgboost", "xgboost-cpu")
"""Libraries that a worker uses if its model does, where they are installed."""


def worker_files() -> list[Path]:
    """The files, Python and HTML, in a fixed order."""
    named = [PACKAGE / name for name in _CODE]
    inside = [file for path in named for kind in ("py", "html") for file in path.rglob(f"*.{kind}")]
    return sorted({*inside, *(path for path in named if path.is_file())})


def worker_digest() -> str:
    """16 hex digits that change with the files, and with the libraries that workers use."""
    digest = hashlib.sha256()
    for file in worker_files():
        digest.update(file.read_bytes())
    for name in (*_LIBRARIES, *filter(_is_installed, _EXTRAS)):
        digest.update(f"{name}=={version(name)}".encode())
    return digest.hexdigest()[:16]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
