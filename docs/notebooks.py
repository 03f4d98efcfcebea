"""Execute the notebooks of the documentation: `docs/notebooks/*.py` in cells -> `*.ipynb` beside.

`python docs/notebooks.py parts_alone` needs nothing; `a_live_model` is run in the folder of a
project whose model `loans` is live, as `tests/e2e/scoring/test_score.py` makes one.
"""

import ast
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("notebooks").absolute()
_MARKDOWN, _CODE = "# %% [markdown]", "# %%"


def cells(script: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each cell of a script in the percent format."""
    for part in script.split(f"\n{_CODE}"):
        head, _, body = part.removeprefix(_CODE).partition("\n")
        if head.strip() == "[markdown]":
            lines = body.strip().splitlines()
            yield "markdown", "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
        else:
            yield "code", body.strip()


def executed(script: str) -> dict[str, Any]:
    """The script as a notebook with its outputs; what a cell raises is raised."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    made = []
    for kind, text in cells(script):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{len(made)}", "metadata": {}}
        if kind == "code":
            cell |= {"execution_count": len(made), "outputs": _run(text, namespace, len(made))}
        made.append({**cell, "source": text.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _run(text: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The outputs of a cell: what it prints, and the value of its last expression."""
    tree, printed, value = ast.parse(text), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), namespace)  # noqa: S102  our own text
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if said := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": said.splitlines(True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        if hasattr(value, "to_html"):
            data["text/html"] = value.to_html(border=0).splitlines(keepends=True)
        shown = {"output_type": "execute_result", "execution_count": count, "metadata": {}}
        outputs.append({**shown, "data": data})
    return outputs


def main(name: str) -> None:
    """Write one notebook."""
    notebook = executed((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / f"{name}.ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
