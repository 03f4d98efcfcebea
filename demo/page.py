"""The pages of a replay: one HTML file that needs nothing else, and Markdown with its pictures."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from demo import table
from demo.figure import figure
from demo.story import Month, Story
from mlops_assets.ml.markdown import table as markdown_table
from mlops_assets.runtime.atomic import ensure_folder, write_atomically

HOW = """\
Two real data sets, replayed month by month through the system itself. At the beginning of each
month the source holds what was known then; the monitoring job reads the prediction log and the
labels that have come, the function behind the retraining sensor decides, a training that it asks
for runs through the whole job up to the gate, and the endpoint answers the month's predictions over
HTTP. Flights are labelled when they have landed, customers 90 days later. Nothing is simulated but
the present. So that it takes minutes, the sources hold every fourth customer and every sixth
flight; 2,000 of them are asked for in a month."""

READ = """\
The gray curve is the first version, never retrained: it scores the logged rows of each month again,
offline, against the same labels. Drift is that of each version against its own held-out rows. A
ratio of promised to observed positives above 1 promises too much."""

WHY = """\
The ratio of flights is no better with retraining than without, though ranking and log loss are. The
share of late flights jumps (31 % in July, 14 % in September, 33 % in December), no month before
tells of it, and the first version happens to promise about the year's mean. On flights that are not
in this replay, calibrating on the newest training month, Platt's way, brings the mean distance from
27 to 24 % (never retrained: 23 %) at a worse log loss, 0.510 against 0.502; isotonic regression,
three recent months alone and a shift of the prior are worse still, so none of them became a
setting: benchmarks/results/recalibration.md."""

BACKTEST = "What `mlops backtest` says of the same rows, without a system"

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1e293b;max-width:76rem;margin:2rem auto;
padding:0 1rem}
h1,h2{color:#0f172a}img{max-width:52rem;width:100%}
table{border-collapse:collapse;font-size:13px;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #e2e8f0}
th{background:#f8fafc}
td:nth-child(-n+2),td:nth-child(n+4):nth-child(-n+7){white-space:nowrap}
.train{background:#eff6ff}.alert{background:#fffbeb}pre{background:#f8fafc;padding:.8rem}
"""


def write_page(stories: Sequence[Story], folder: Path) -> Path:
    """Write `index.html`, and each replay's picture and JSON beside it."""
    for story in stories:
        _write(folder / f"{story.model}.png", figure(story))
        _write(folder / f"{story.model}.json", story.model_dump_json(indent=2).encode())
    page = folder / "index.html"
    _write(page, html(stories).encode())
    return page


def write_docs(stories: Sequence[Story], folder: Path) -> None:
    """Write `demo.md` and its pictures, `images/demo-MODEL.png`."""
    for story in stories:
        _write(ensure_folder(folder / "images") / f"demo-{story.model}.png", figure(story))
    _write(folder / "demo.md", markdown(stories).encode())


def html(stories: Sequence[Story]) -> str:
    """The page, pictures included."""
    parts = "\n".join(_section(story) for story in stories)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Replay</title>'
        f"<style>{_STYLE}</style>\n<h1>A year in minutes</h1>\n"
        f"<p>{escape(HOW)}</p>\n<p>{escape(READ)}</p>\n<p>{escape(WHY)}</p>\n{parts}\n</html>\n"
    )


def _section(story: Story) -> str:
    picture = base64.b64encode(figure(story)).decode()
    facts = " ".join(table.conclusion(story))
    return "\n".join(
        [
            f"<h2>{escape(story.model)}: {escape(story.description)}</h2>",
            f"<p>{escape(facts)}</p>",
            f'<img alt="{escape(story.model)} by month" src="data:image/png;base64,{picture}">',
            _html_table(story),
            f"<h3>{BACKTEST}</h3><pre>{escape(story.backtest)}</pre>",
            f"<details><summary>What the replay changes in the YAML</summary>"
            f"<pre>{escape(story.changes)}</pre></details>",
        ]
    )


def _html_table(story: Story) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.HEADER)
    body = "\n".join(
        f'<tr class="{_kind(month)}">' + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        for month, row in zip(story.months, table.rows(story), strict=True)
    )
    return f"<table><tr>{head}</tr>\n{body}\n</table>"


def _kind(month: Month) -> str:
    return month.decision.action if month.decision else "train"


def markdown(stories: Sequence[Story]) -> str:
    """The same for the documentation."""
    minutes = sum(story.cpu_seconds for story in stories) / 60
    lines = [
        "# The demonstration",
        "",
        "Written by `make demo DEMO='--docs docs'`. `make demo` alone writes the same as a page, "
        f"`MLOPS_HOME/demo/index.html`. This run took {minutes:.1f} CPU minutes.",
        "",
        HOW,
        "",
        READ,
        "",
        WHY,
    ]
    for story in stories:
        lines += ["", *_markdown_section(story)]
    return "\n".join(lines) + "\n"


def _markdown_section(story: Story) -> list[str]:
    said, _, lines = story.backtest.partition("\nto take over:\n")
    taken = ["", "To take over:", "", "```yaml", lines.strip(), "```"] if lines else []
    return [
        f"## {story.model}: {story.description}",
        "",
        " ".join(table.conclusion(story)),
        "",
        f"![{story.model} by month](images/demo-{story.model}.png)",
        "",
        markdown_table(table.HEADER, table.rows(story)),
        "",
        f"### {BACKTEST}",
        "",
        said.strip(),
        *taken,
        "",
        "What the replay changes in the YAML:",
        "",
        "```yaml",
        story.changes.strip(),
        "```",
    ]


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write_bytes(content))
