"""The user's project and the state folder, and where the user interfaces to it are found.

The state folder holds everything that is kept of a project. Deleting it resets everything, copying
it moves everything: what is written in it about places in it is relative, or follows
(`MLflowStore`).
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from mlops_assets.errors import ConfigError, NoProjectError, StateError
from mlops_assets.runtime.postgres import require_address

FRAMEWORK_ROOT = Path(__file__).resolve().parents[1]
"""Where this code stands: a checkout, or the folder of packages it was installed into."""
PROJECT_FILE = "mlops.yaml"
"""What marks a folder as a project, as `.git` does."""
DATABASE = "MLOPS_DATABASE"
"""The variable with the address of a Postgres, in the place of all sqlite files of more than one
process: Dagster's, MLflow's, the ledger, the decisions."""
BUCKET = "MLOPS_BUCKET"
"""The variable with the address of a bucket, in the place of folders that machines would share."""
_PACKAGES = ("mlops_assets", "resources", "sensors", "jobs")
HOST = "127.0.0.1"
INTERFACE_PORTS = {"MLOPS_PORT_DAGSTER": 3000, "MLOPS_PORT_MLFLOW": 5000}
"""Variables that move the ports of `mlops dev`, and their defaults."""
PROMETHEUS_PORT = ("MLOPS_PORT_PROMETHEUS", 9090)
"""The same of `mlops observe`."""


_BUCKET_ADDRESS = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{2,}(/[A-Za-z0-9!_.*'()=+-]+)*/?")
_NO_ADDRESS = re.compile(r"\?|%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f]")
"""What an address of a sqlite file means otherwise; SQLAlchemy's and Dagster's know no escape."""


def project() -> Path:
    """The folder of the user's models and packages, absolute.

    `MLOPS_PROJECT`, or the nearest folder with a `mlops.yaml`, from the working directory upwards;
    the checkout of the framework, with its examples, inside it and where there is no other.

    Raises:
        NoProjectError: There is none.
        ConfigError: It was made by another user, or a package in it hides ours.
    """
    if named := os.environ.get("MLOPS_PROJECT"):
        folder = Path(named).expanduser().absolute()
        if folder.resolve() == FRAMEWORK_ROOT:
            return FRAMEWORK_ROOT
        if not (folder / PROJECT_FILE).is_file():
            raise ConfigError(
                f"MLOPS_PROJECT={named!r} holds no {PROJECT_FILE}; name a project's folder"
            )
        return _without_our_names(folder)
    is_checkout = (FRAMEWORK_ROOT / "pyproject.toml").is_file()
    for folder in _upwards():
        if is_checkout and folder == FRAMEWORK_ROOT:
            return folder
        with suppress(OSError):  # a folder that may not be looked into
            if (folder / PROJECT_FILE).is_file():
                return _without_our_names(_own(folder))
    if is_checkout:
        return FRAMEWORK_ROOT
    raise NoProjectError(
        f"no project: neither the working directory nor a folder above it holds a {PROJECT_FILE}; "
        "go to yours, name it by MLOPS_PROJECT, or make one here with `mlops init DATA --target "
        "COLUMN`"
    )


def _upwards() -> tuple[Path, ...]:
    """The working directory and what is above it; nothing if it was deleted."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return ()
    return (here, *here.parents)


def models_folder() -> Path:
    """The folder of the project that holds one folder for each model."""
    root = project()
    return root / "mlops_assets" / "defs" if root == FRAMEWORK_ROOT else root / "defs"


def _own(folder: Path) -> Path:
    # Its Python is imported: a stranger's, in a folder above ours that all may write to, is not.
    owner = (folder / PROJECT_FILE).stat().st_uid
    if owner not in (os.getuid(), 0):
        raise ConfigError(
            f"the project {folder} belongs to another user, number {owner}; set "
            f"MLOPS_PROJECT={folder} if you trust it"
        )
    return folder


def _without_our_names(folder: Path) -> Path:
    for name in _PACKAGES:
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            if path.exists():
                raise ConfigError(
                    f"{path} would be imported in place of the framework's package {name!r}; "
                    "rename it"
                )
    return folder


def home() -> Path:
    """`MLOPS_HOME`, or `.mlops/` in the `project`, absolute; as `require_addressable` has it."""
    named = os.environ.get("MLOPS_HOME") or project() / ".mlops"
    return require_addressable(Path(named).expanduser().absolute(), "MLOPS_HOME")


def place(path: str) -> str:
    """A path as the shell of `eval "$(mlops env)"` has it: `$MLOPS_HOME/...`, else as it is."""
    below = Path(path).is_relative_to(home())
    return f"$MLOPS_HOME/{Path(path).relative_to(home())}" if below else path


def bucket(folder: str = "") -> str:
    """`s3://NAME/PREFIX` of MLOPS_BUCKET, and a folder in it; empty where none is named.

    Raises:
        ConfigError: It is no such address.
    """
    named = os.environ.get(BUCKET, "")
    if named and not _BUCKET_ADDRESS.fullmatch(named):
        raise ConfigError(
            f"{BUCKET}={named!r} is no address of a bucket; write s3://NAME/PREFIX, and who asks "
            "by the AWS SDK's own variables"
        )
    return "/".join(part for part in (named.rstrip("/"), folder) if part) if named else ""


def database() -> str:
    """The Postgres of MLOPS_DATABASE; empty where none is named.

    Raises:
        ConfigError: It is no address of a Postgres, and so no file's name either.
    """
    named = os.environ.get(DATABASE, "")
    return require_address(named) if named else ""


def endpoints_root() -> Path:
    """The folder of the local endpoints, one folder for each model."""
    return Path(os.environ.get("MLOPS_ENDPOINTS") or home() / "endpoints")


def storage_root() -> Path:
    """The folder of the assets' values, one folder for each model."""
    return Path(os.environ.get("MLOPS_STORAGE") or home() / "assets")


def status_page_file() -> Path:
    """The page of all models that `status_page` and `mlops status --html` write."""
    return home() / "status.html"


def require_addressable(path: Path, variable: str) -> Path:
    """The same path; `StateError` naming `variable` if no sqlite file in it can be named."""
    if wrong := _NO_ADDRESS.search(str(path)):
        raise StateError(
            f"{variable}={str(path)!r} has {wrong.group()!r} in it, which the address of a sqlite "
            "file cannot hold; name another folder"
        )
    return path


def interface_url(variable: str) -> str:
    """Where the interface whose port this variable moves is found."""
    return f"http://{HOST}:{os.environ.get(variable, INTERFACE_PORTS[variable])}"
