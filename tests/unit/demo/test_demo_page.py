"""The pages of a replay that is made up: what was decided must be readable there."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from demo import table
from demo.figure import figure
from demo.page import html, markdown
from demo.story import Month, Quality, Story
from mlops_assets.records.monitoring import DriftSummary, Window
from mlops_assets.records.retraining import Recorded

START = datetime(2013, 4, 1, tzinfo=UTC)


def moment(number: int) -> datetime:
    return START.replace(month=START.month + number)


def quality(version: int, number: int, auc: float, ratio: float) -> Quality:
    drift = DriftSummary(
        model="flights",
        model_version=version,
        window=Window(start=moment(number), end=moment(number + 1)),
        rows=100,
        reference_rows=100,
        verdict="drifted",
        drifted_columns=("temp",),
        scores={"temp": 0.5, "tenure": 9.0},
    )
    metrics = {"roc_auc": auc, "log_loss": 0.4, "calibration_ratio": ratio}
    return Quality(metrics=metrics, drift=drift)


def recorded(number: int, action: str, reason: str, outcome: str | None) -> Recorded:
    return Recorded(
        number=number,
        time=moment(number),
        last_seen=moment(number),
        ticks=1,
        action=action,
        rule="performance" if action == "train" else "calm",
        reason=reason,
        outcome=outcome,
    )


@pytest.fixture
def story() -> Story:
    first = [quality(1, n, 0.6, 1.5) for n in range(3)]
    decided = [
        None,
        recorded(1, "train", "1 of 1 windows degraded", "refused: log_loss <too high>"),
        recorded(2, "train", "1 of 1 windows degraded", "promoted"),
        recorded(3, "idle", "content unchanged: " + "ab" * 16, None),
    ]
    live = [first[0], first[1], quality(2, 2, 0.7, 1.1), None]
    months = tuple(
        Month(
            now=moment(n),
            decision=decided[n],
            version=1 if n < 2 else 2,
            acknowledged=100 if live[n] else 0,
            live=live[n],
            first=first[n] if live[n] else None,
        )
        for n in range(4)
    )
    return Story(
        model="flights",
        description="Late?",
        backtest="flights: log loss in 6 windows\n\nnot shown: keep <what> is set",
        months=months,
        logged=300,
        threshold=0.2,
        ignored=("tenure",),
        changes="features:\n  ttl: 32d",
        cpu_seconds=60,
    )


def test_a_promotion_is_a_month_that_another_version_answers(story: Story) -> None:
    assert story.promotions == [moment(2)]
    assert [month.trained for month in story.months] == [False, True, True, False]


@pytest.mark.parametrize(("page", "what"), [(html, "&lt;what&gt;"), (markdown, "<what>")])
def test_what_a_backtest_says_stands_beside_the_replay(
    story: Story, page: Callable[[Sequence[Story]], str], what: str
) -> None:
    text = page([story])
    assert "What `mlops backtest` says of the same rows" in text
    assert f"not shown: keep {what} is set" in text


@pytest.mark.parametrize("page", [html, markdown])
def test_every_decision_stands_there_with_its_reason_and_outcome(page, story: Story) -> None:
    text = page([story])
    assert text.count("train (performance)") == 2
    assert "1 of 1 windows degraded; outcome: promoted" in text
    assert "content unchanged: abababab" in text
    assert "abababababab" not in text
    assert "0.700 (0.600)" in text
    assert "temp (largest PSI 0.50)" in text, "an ignored column is not the largest"
    assert "3 months, 300 predictions answered over HTTP, 300 rows of them" in text
    assert "2 retrainings were decided, 1 promoted" in text


def test_the_page_is_one_file_and_quotes_what_it_did_not_write(story: Story) -> None:
    text = html([story])
    assert "log_loss &lt;too high&gt;" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)


def test_means_leave_out_what_has_no_labels(story: Story) -> None:
    empty = story.months[2].live.model_copy(update={"metrics": {}})
    months = (*story.months[:2], story.months[2].model_copy(update={"live": empty}))
    assert "over the 2 months with labels" in " ".join(
        table.conclusion(story.model_copy(update={"months": months}))
    )
    assert table.both(months[2], "roc_auc") == "no labels yet"


def test_the_picture_is_a_small_png(story: Story) -> None:
    content = figure(story)
    assert content.startswith(b"\x89PNG")
    assert len(content) < 120_000


def test_the_lines_to_take_over_are_yaml(story: Story) -> None:
    lines = "train regularly: shown to cost\nto take over:\n\nschedule:\n  train: 0 0 1 * *\n"
    text = markdown([story.model_copy(update={"backtest": lines})])
    assert "To take over:\n\n```yaml\nschedule:\n  train: 0 0 1 * *\n```\n" in text
    assert "```yaml\n```" not in markdown([story])
