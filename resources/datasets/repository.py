"""The DVC repository of a state folder: made on first use, opened by one process at a time.

It stands in a folder of the state folder, never in the checkout: two state folders on one checkout
would stage their data in the same place, and version each other's. What is kept by it is for
`resources.datasets.versions`.
"""

import json
import logging
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mlops_assets.errors import DatasetError, DatasetLockedError
from mlops_assets.runtime.atomic import ensure_folder, exclusive, write_atomically
from mlops_assets.runtime.surroundings import read_only
from resources.tracking.store import not_exported

# Copies, since a hard link would let a write to the workspace file corrupt the cache.
_CONFIG = """\
[core]
    analytics = false
    autostage = false
    check_update = false
    no_scm = {no_scm}
[cache]
    type = "reflink,copy"
    dir = "{cache}"
"""


@contextmanager
def opened(folder: str, cached: str) -> Generator[Any]:
    """DVC in `folder` with its cache in `cached`; its errors become ours.

    The lock is in the repository, whoever shares it: also of other state folders.
    """
    from dvc.exceptions import DvcException  # 0.9 CPU s
    from dvc.lock import LockError
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)  # it advises to run git commands
    root, cache = Path(folder).absolute(), ensure_folder(Path(cached).absolute())
    site = cache.parent / "site"
    ensure_folder(site / "repo")  # or DVC makes both open to all, whatever the umask
    overrides = {
        "core": {"site_cache_dir": str(site), "analytics": False},
        "cache": {"dir": str(cache)},
    }
    with exclusive(root / ".dvc" / "tmp" / "mlops.lock"), _no_other_configuration(site):
        _configure(root, cache)
        try:
            with Repo(str(root), config=overrides) as repo:
                # DVC makes what it keeps readable for all.
                repo.cache.local.CACHE_MODE = read_only()
                _drop_damaged_rwlock(Path(repo.tmp_dir))
                yield repo
        except LockError as err:
            raise DatasetLockedError(f"DVC in {root} is locked: {err}; run again") from err
        except DvcException as err:
            raise DatasetError(f"DVC in {root} refused: {err}") from err


def _drop_damaged_rwlock(folder: Path) -> None:
    """Delete the list of what DVC's processes hold where one was ended while it wrote it.

    DVC does not write it whole, and from then on refuses everything.
    """
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    held = folder / RWLOCK_FILE
    with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)):
        try:
            json.loads(held.read_bytes() if held.exists() else b"{}")
        except ValueError:
            held.unlink()


@contextmanager
def _no_other_configuration(folder: Path) -> Generator[None]:
    """Let DVC read no settings of the user or the machine.

    Links of theirs would let a version be changed, and a home that must not be read would end it.
    """
    with ExitStack() as before:
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
            before.enter_context(not_exported(name))
            os.environ[name] = str(folder)
        yield


def _configure(root: Path, cache: Path) -> None:
    """Write DVC's configuration where there is none; the cache relative, so that both can move."""
    config = root / ".dvc" / "config"
    if config.exists():
        return
    no_scm = str(not (root / ".git").exists()).lower()
    text = _CONFIG.format(no_scm=no_scm, cache=os.path.relpath(cache, config.parent))
    write_atomically(config, lambda file: file.write_text(text, encoding="utf-8"))
