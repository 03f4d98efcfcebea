"""No folder of product code is a heap: a newcomer must find a line by its folder's name."""

from pathlib import Path

from mlops_assets.home import FRAMEWORK_ROOT

MOST = 12
PRODUCT = ("mlops_assets", "resources", "jobs", "sensors")


def crowded(root: Path) -> dict[str, int]:
    """Folders below with more modules than a look takes in, `__init__.py` apart."""
    folders = [folder for name in PRODUCT for folder in (root / name, *(root / name).rglob("*/"))]
    counts = {str(one.relative_to(root)): len(list(one.glob("[!_]*.py"))) for one in folders}
    return {folder: count for folder, count in counts.items() if count > MOST}


def test_no_folder_holds_more_modules_than_a_look_takes_in() -> None:
    assert crowded(FRAMEWORK_ROOT) == {}


def test_a_heap_is_noticed(tmp_path: Path) -> None:
    heap = tmp_path / "resources" / "heap"
    heap.mkdir(parents=True)
    for number in range(MOST + 1):
        (heap / f"part_{number}.py").touch()
    assert crowded(tmp_path) == {"resources/heap": MOST + 1}
