"""The status page: what it says of each state, and that nothing of a stranger's breaks it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from mlops_assets.records.monitoring import DriftSummary, OutcomeFacts, PerformanceSummary, Window
from mlops_assets.records.promotion import Promotion
from mlops_assets.records.retraining import Pause, Recorded
from mlops_assets.records.serving import Endpoint
from mlops_assets.status.facts import ModelStatus, NextRun
from mlops_assets.status.page import status_page
from mlops_assets.status.pictures import line
from mlops_assets.status.traffic import read_traffic

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # while clocks change in Europe
ODD = "<script>alert('x')</script> & \"größe\" {x} $y$"


def window(days: int) -> Window:
    return Window(start=NOW - timedelta(days=days + 1), end=NOW - timedelta(days=days))


def drift(days: int, verdict: Any = "calm", **scores: float) -> DriftSummary:
    return DriftSummary(
        model="m", model_version=2, window=window(days), rows=9, reference_rows=9, verdict=verdict,
        scores=scores, reasons=(ODD,) if verdict == "drifted" else (),
    )  # fmt: skip


def performance(days: int, verdict: Any, **metrics: float) -> PerformanceSummary:
    return PerformanceSummary(
        model="m", model_version=2, window=window(days), rows=9, labelled_rows=9, final=True,
        verdict=verdict, metrics=metrics, reference={"log_loss": 0.5},
    )  # fmt: skip


def move(sequence: int, score: float) -> Promotion:
    return Promotion(
        model="m", to_version=sequence, from_version=sequence - 1 or None, who="me", why="gate",
        sequence=sequence, time=NOW - timedelta(days=9 - sequence),
        evaluation={"metrics": {"roc_auc": score}},
    )  # fmt: skip


NEW = ModelStatus(
    model="m", state="new", said="no version was promoted yet", endpoint=None, moves=(),
    primary="roc_auc", limit=0.75, traffic=None, drift=(), outcomes=None, decision=None,
    pause=None, next_run=None, data_read=None,
)  # fmt: skip
LIVE = replace(
    NEW,
    state="live",
    said="",
    endpoint=Endpoint(
        url="http://127.0.0.1:8101", model_name="m", model_version=2, generation=2, workers=2,
        entity=None,
    ),
    moves=(move(1, 0.8), move(2, 0.85)),
    drift=(drift(2, age=0.01), drift(1, "drifted", age=0.2, **{ODD: 0.9})),
    outcomes=OutcomeFacts(final=(performance(3, "good", log_loss=0.49),
                                 performance(2, "degraded", log_loss=0.61))),
    decision=Recorded(number=1, time=NOW, last_seen=NOW, ticks=1, action="wait", rule="drift",
                      reason=ODD),
    pause=Pause(until=NOW + timedelta(days=1), why=ODD, who="me"),
    next_run=NextRun("training", NOW + timedelta(hours=2)),
    data_read=NOW - timedelta(days=2, hours=3),
)  # fmt: skip


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html.partition("</style>")[2])


def test_a_live_model_says_what_a_person_asks_first() -> None:
    said = text_of(status_page([LIVE], NOW))
    for expected in (
        "1 of 1 models live",
        "version 2 since 2026-03-22 01:30 UTC (7 days ago)",
        "roc auc 0.85, the gate's limit 0.75",
        "drifted  until 2026-03-28 01:30 UTC",
        "PSI 0.9",
        "log loss 0.61, when trained 0.5",
        "paused until 2026-03-30 01:30 UTC",
        "training 2026-03-29 03:30 UTC",
        "read 2 days ago",
    ):
        assert expected in said


def test_what_is_too_little_to_judge_is_called_so() -> None:
    waiting = performance(1, "unknown").model_copy(
        update={"final": False, "estimated": {"log_loss": 0.55}}
    )
    early = replace(
        LIVE, drift=(drift(1, "unknown", age=0.0),), outcomes=OutcomeFacts(estimate=waiting)
    )
    said = text_of(status_page([early], NOW))
    assert "9 predictions are too few to judge" in said
    assert "PSI" not in said
    assert "waiting for labels of what was predicted  until 2026-03-28 01:30 UTC" in said
    assert "log loss 0.55, estimated" in said


def test_a_metric_of_zero_is_a_metric() -> None:
    assert "roc auc 0, the gate's limit" in text_of(
        status_page([replace(LIVE, moves=(move(1, 0.8), move(2, 0.0)))], NOW)
    )


def test_names_and_reasons_of_strangers_are_text() -> None:
    html = status_page([replace(LIVE, model=ODD)], NOW)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5


def test_nothing_is_fetched_from_elsewhere() -> None:
    html = status_page([LIVE, NEW], NOW)
    assert not re.findall(r"(?:src|@import|url\()", html)
    assert set(re.findall(r"https?://[^\"<]+", html)) == {"http://127.0.0.1:8101"}


def test_what_needs_somebody_comes_first() -> None:
    models = [
        NEW,
        replace(LIVE, model="fine"),
        replace(LIVE, model="wrong", state="odd", said="the champion is version 3"),
        replace(NEW, model="dead", state="down", said="version 1 is the champion and is silent"),
    ]
    html = status_page(models, NOW)
    assert re.findall(r"<h2>(\w+)</h2>", html) == ["dead", "wrong", "fine", "m"]
    assert "1 of 4 models live" in html
    assert "the champion is version 3" in html


def test_a_project_without_a_model_has_a_page() -> None:
    assert "no model" in text_of(status_page([], NOW))


def scrape(answered: int, seconds: float) -> str:
    registry = CollectorRegistry()
    requests = Counter("model_requests", "", ("model_name", "outcome"), registry=registry)
    latency = Histogram(
        "model_prediction_latency_seconds", "", ("model_name", "version"),
        buckets=(0.001, 0.0025, 0.005), registry=registry,
    )  # fmt: skip
    requests.labels("m", "failed")
    requests.labels("m", "refused").inc(3)
    for at in range(answered):
        requests.labels("m", "answered").inc()
        latency.labels("m", str(at % 2)).observe(seconds if at else 99.0)
    return generate_latest(registry).decode()


def test_traffic_is_summed_over_versions() -> None:
    found = read_traffic(scrape(200, 0.002))
    assert (found.answered, found.refused, found.failed, found.asked) == (200, 3, 0, 203)
    assert (found.median_ms, found.p99_ms) == (2.5, 2.5)
    assert read_traffic(scrape(2, 0.002)).p99_ms == float("inf")


@pytest.mark.parametrize("text", ["", "model_other_total 3\n", scrape(0, 0.0)])
def test_an_endpoint_that_was_never_asked_has_no_latency(text: str) -> None:
    assert read_traffic(text).median_ms is None


@pytest.mark.parametrize(
    ("values", "segments"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 1.0], 1),
        ([1.0, float("nan"), 2.0, 3.0], 1),
        ([1e308, -1e308], 1),
    ],
)
def test_a_line_has_the_points_that_there_are(values: list[float], segments: int) -> None:
    drawn = line(values, None, ODD)
    assert drawn.count("L") - drawn.count("LO") == segments
    assert "nan" not in drawn
    assert "inf" not in drawn
