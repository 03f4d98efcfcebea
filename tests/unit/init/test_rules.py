"""The page of rules and the tests of rules say the same."""

import re
from pathlib import Path

from mlops_assets.init.columns.kinds import RULES

ROOT = Path(__file__).resolve().parents[3]


def documented() -> set[str]:
    page = (ROOT / "docs" / "reference" / "init.md").read_text(encoding="utf-8")
    table = page.partition("| rule |")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()[2:]]
    return {name for cell in first for name in re.findall(r"`(\w+)`", cell)}


def test_each_rule_has_a_row_and_a_test() -> None:
    tests = "\n".join(
        file.read_text(encoding="utf-8") for file in Path(__file__).parent.rglob("*.py")
    )
    tested = re.findall(r"def test_rule_(\w+)\(", tests)
    assert {rule for rule in documented() if not any(t.startswith(rule) for t in tested)} == set()
    assert {t for t in tested if not any(t.startswith(rule) for rule in documented())} == set()
    assert {rule.__name__ for rule in RULES} <= documented()
