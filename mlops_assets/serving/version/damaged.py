"""What is said of a version's folder that cannot be used; who reads it stands with the files."""

from pathlib import Path

from mlops_assets.errors import DeploymentError


def damaged(folder: Path, said: str) -> DeploymentError:
    """What to raise: what is wrong in `<model>/versions/<number>`, and the one remedy."""
    back = f"`mlops run {folder.parent.parent.name}` brings the version back"
    if not folder.exists():
        return DeploymentError(f"{folder} is gone; {back}")
    return DeploymentError(f"{said}; delete {folder}, then {back}")
