"""`import mlops_assets` costs next to nothing: each notebook cell and every child pays it."""

import subprocess
import sys

MOST = 60
"""Modules; the standard library's among them."""


def imported_by(code: str) -> list[str]:
    counted = f"import sys; before = set(sys.modules); {code}; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", counted], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_the_package_imports_few_modules_and_no_library() -> None:
    found = imported_by("import mlops_assets")
    assert len(found) <= MOST, found
    assert not {"pandas", "numpy", "pydantic", "dagster"} & {*found}


def test_what_a_notebook_calls_is_there_and_nothing_else_is_made_up() -> None:
    found = imported_by("import mlops_assets; assert callable(mlops_assets.load)")
    assert "dagster" not in found
    lacking = "import mlops_assets; assert not hasattr(mlops_assets, 'lood')"
    assert imported_by(lacking)
    assert imported_by("from mlops_assets import history, load, score")
