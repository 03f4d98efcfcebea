"""The notebooks of the documentation are what their scripts give, with the outputs of today."""

import json
import re

import pytest

from docs.notebooks import FOLDER, cells, executed

SCRIPTS = sorted(FOLDER.glob("*.py"))


def test_a_notebook_that_needs_no_project_is_as_it_runs_today() -> None:
    script = (FOLDER / "parts_alone.py").read_text(encoding="utf-8")
    written = json.loads((FOLDER / "parts_alone.ipynb").read_text(encoding="utf-8"))
    assert executed(script) == written


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_each_notebook_holds_the_cells_of_its_script(script) -> None:
    written = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in written["cells"]]
    assert found == list(cells(script.read_text(encoding="utf-8")))
    assert len(json.dumps(written)) < 30_000
    assert not re.search(r"(^|[\s'\"(])/(home|root|tmp|usr|work|Users)/", json.dumps(written))


def test_a_cell_that_raises_is_no_notebook() -> None:
    with pytest.raises(ZeroDivisionError):
        executed("# %%\n1 / 0\n")


def test_what_a_cell_prints_and_its_last_value_are_its_outputs() -> None:
    (_, code) = executed("# %% [markdown]\n# # Title\n\n# %%\nprint('a')\n1 + 1\n")["cells"]
    printed, value = code["outputs"]
    assert printed["text"] == ["a\n"]
    assert value["data"] == {"text/plain": ["2"]}
