"""The project's code as git knows it: which commit ran, and that commit beside the working tree.

Reads the repository; what it adds to it is the entry of a linked worktree, and only for as long as
that is open. Without git, or outside a repository, the state says so.

Which of these files a worker imports is `resources.endpoints.worker_code`.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mlops_assets.errors import ReproductionError
from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.records.reproduction import SourceState

_PATCH_LIMIT = 1_000_000
# The pointers of the data, which the same run writes, are recorded by their md5.
_NOT_CODE = (":(exclude)data", ":(exclude).dvc", ":(exclude).mlops")
_OURS = ("--", ".", *_NOT_CODE)
# Of new files only what can be code: whatever else lies about may be large, or secret.
_NEW_CODE = ("--", "*.py", "*.yaml", "*.yml", *_NOT_CODE)


def source_state(root: Path) -> SourceState:
    """The commit of the project at `root`, and its uncommitted changes as a patch.

    The patch holds changed files, and new `.py` and YAML files that git does not ignore.
    """
    try:
        sha = _git(root, "rev-parse", "--verify", "-q", "HEAD").decode().strip()
    except (FileNotFoundError, ReproductionError):
        return SourceState(sha=None, state="no git")
    patch = _git(root, "diff", "--binary", "--relative", "HEAD", *_OURS)
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z", *_NEW_CODE)
    for name in filter(None, new.decode().split("\0")):
        patch += _git(
            root, "diff", "--binary", "--no-index", "--", "/dev/null", name, accept=(0, 1)
        )
    if not patch:
        return SourceState(sha=sha, state="clean")
    if len(patch) > _PATCH_LIMIT:
        return SourceState(sha=sha, state="changed")
    try:
        return SourceState(sha=sha, state="patched", patch=patch.decode())
    except UnicodeDecodeError:  # a text file in another encoding
        return SourceState(sha=sha, state="changed")


def code_digest(root: Path) -> str:
    """SHA-256 of the Python files of the framework and of the project at `root`, committed or not.

    The commit itself says too much: each has another sha, also one that changes a document.
    """
    digest = hashlib.sha256()
    for file in sorted(FRAMEWORK_ROOT.glob("mlops_assets/**/*.py")):
        _add(digest, file, FRAMEWORK_ROOT)
    if root != FRAMEWORK_ROOT:
        packages = [root / "defs", *(file.parent for file in root.glob("*/__init__.py"))]
        inside = {file for package in packages for file in package.rglob("*.py")}
        for file in sorted({*root.glob("*.py"), *inside}):
            _add(digest, file, root)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", file: Path, root: Path) -> None:
    digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
    digest.update(hashlib.sha256(file.read_bytes()).digest())


@contextmanager
def checked_out(root: Path, code: SourceState) -> Generator[Path]:
    """The recorded code in a linked worktree of its own, removed afterwards.

    Yields the project's folder in it, or `root` itself if it was recorded without git. That the
    repository lacks the commit, or the patch does not apply, is a `ReproductionError`.
    """
    if code.sha is None:
        yield root
        return
    _require_commit(root, code.sha)
    inside = _git(root, "rev-parse", "--show-prefix").decode().strip()
    with tempfile.TemporaryDirectory(prefix="code-") as folder:
        tree = Path(folder).resolve() / "tree"
        try:
            _git(root, "worktree", "add", "--quiet", "--detach", str(tree), code.sha)
            if code.patch:
                _apply(tree, inside, code.patch)
            yield tree / inside
        finally:
            # Twice: git holds one back that it was killed at the making of.
            force = ("--force", "--force")
            _git(root, "worktree", "remove", *force, str(tree), accept=(0, 128))


def _apply(tree: Path, inside: str, patch: str) -> None:
    # In a subfolder, git would skip paths that do not start with its name, and call it success.
    where = [f"--directory={inside}"] if inside else []
    _git(tree, "apply", "--whitespace=nowarn", *where, "-", stdin=patch.encode())


def _require_commit(root: Path, sha: str) -> None:
    try:
        _git(root, "cat-file", "-e", f"{sha}^{{commit}}")
    except (FileNotFoundError, ReproductionError) as err:
        raise ReproductionError(
            f"code: the repository at {root} has no commit {sha}; fetch it, e.g. `git fetch "
            f"origin {sha}`, or reproduce in a clone that has it"
        ) from err


def _git(root: Path, *arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run(  # noqa: S603  a list, no shell
        ["git", "-C", str(root), *arguments],  # noqa: S607  the user's git
        input=stdin,
        capture_output=True,
        check=False,
    )
    if done.returncode not in accept:
        said = done.stderr.decode(errors="replace").strip()
        raise ReproductionError(f"code: git {arguments[0]} in {root} failed: {said}")
    return done.stdout
