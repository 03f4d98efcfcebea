"""What is relied on of Feast: that its checks of types are typeguard's, and can be left out."""

import subprocess
import sys

IMPORT = """
import typeguard
checked = typeguard.typechecked
from mlops_assets.serving.online.feast import import_feast
import_feast()
import feast
assert typeguard.typechecked is checked
print("typeguard" in feast.FeatureView.__init__.__code__.co_names)
"""


def imported(code: str) -> str:
    """What a process prints that imports Feast."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_feast_is_imported_as_it_is_written() -> None:
    """Else the import takes three times as long; if the second is False, nothing is to be done."""
    assert imported(IMPORT) == "False"
    assert imported(IMPORT.replace("import_feast()", "pass")) == "True"
