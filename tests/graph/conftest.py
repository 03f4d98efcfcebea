"""Runs of graphs make their pictures but leave them blank: drawing them is 45 % of a run's CPU."""

import pytest


@pytest.fixture
def drawn() -> None:
    """For tests that look at pictures, or give them what may be hard to draw."""


@pytest.fixture(autouse=True)
def _blank_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the strokes on the canvas, unless the test asks for `drawn`.

    `tests/unit/evaluation/test_plots.py` and its neighbours look at each picture; `mlops run` in
    `tests/e2e` draws them all.
    """
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("matplotlib.figure.Figure.draw", lambda *_: None)
