"""A process that is killed at any step of a tick neither loses a decision nor doubles it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

pytestmark = pytest.mark.e2e


def test_a_tick_killed_at_any_step_leads_to_one_decision_and_one_run(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.support.retraining.killed_ticks",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True
    )
    unheard, *killed, whole = map(json.loads, done.stdout.splitlines())
    assert len(killed) >= 8, "from opening the store to the commit"
    (key,) = unheard["runs"]
    for line in killed:
        assert line == {
            **{"step": line["step"], "decided": ["performance"]},
            **{"requests": [key], "runs": [key]},
        }
    assert unheard["decided"] == ["performance", "repeated"], "asked for again, not decided again"
    assert unheard["requests"] == [key]
    assert whole["decided"] == ["performance"]
    assert (whole["requests"], whole["runs"]) == ([], [key]), "its run is seen"
