"""Write docs/reference/metrics.md from the code that names metrics and the shipped alerts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from docs.assets_reference import table
from mlops_assets.home import FRAMEWORK_ROOT

TARGET = Path(__file__).with_name("reference") / "metrics.md"
RULES = FRAMEWORK_ROOT / "deploy" / "prometheus" / "rules.yml"
_HEADER = """\
# Metrics and alerts

What an endpoint exposes at `/metrics`, for all its workers and without a key. Those of reports
are written by the monitoring job, of runs by a sensor, and passed on by the endpoint. Each has
the label `model_name`.

Written by `docs/metrics_reference.py`.
"""
_ALERTS = """\
## Alerts

Of `deploy/prometheus/rules.yml`; `page` is for now, `ticket` for the day. How they are sent: [be
told when something is wrong](../how-to/alerts.md).
"""


def page() -> str:
    """The whole page as Markdown."""
    metrics = [(f"`{name}`", said) for name, said in sorted(set(_metrics()))]
    rules = [rule for group in _groups() for rule in group["rules"]]
    recorded = [
        (f"`{rule['record']}`", f"`{' '.join(rule['expr'].split())}`")
        for rule in rules
        if "record" in rule
    ]
    alerts = [_alert(rule) for rule in rules if "alert" in rule]
    head = ("alert", "severity", "fires when", "for", "says", "remedy")
    parts = [
        *(_HEADER, "## Metrics", "", *table(("metric", "what it is"), metrics), ""),
        *(_ALERTS, *table(head, alerts), ""),
        *("## Recorded", "", *table(("series", "of"), recorded)),
    ]
    return "\n".join(parts) + "\n"


def _groups() -> list[dict[str, Any]]:
    return yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]


def _alert(rule: dict[str, Any]) -> tuple[str, ...]:
    said = rule["annotations"]
    return (
        f"`{rule['alert']}`",
        rule["labels"]["severity"],
        f"`{' '.join(rule['expr'].split())}`",
        rule.get("for", ""),
        _general(said["summary"]),
        _general(said.get("remedy", "")),
    )


def _general(text: str) -> str:
    """A template of Prometheus as a sentence."""
    text = text.replace("{{ $labels.model_name }}", "MODEL").replace(
        "{{ $labels.job_name }}", "JOB"
    )
    text = text.replace("{{ $labels.instance }}", "its address")
    return re.sub(r"{{ \$value[^}]*}}", "N", text)


def _metrics() -> Iterator[tuple[str, str]]:
    """Name and help of every metric that the product makes."""
    for folder in ("mlops_assets", "resources", "sensors"):
        for file in (FRAMEWORK_ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (found := _metric(node)):
                    yield found


def _metric(call: ast.Call) -> tuple[str, str] | None:
    """Of a call with a name `model_...` and a sentence."""
    named = {one.arg: one.value for one in call.keywords}
    parts = [*call.args[:2], *(named[key] for key in ("name", "help") if key in named)]
    texts = [_text(part) for part in parts]
    if len(texts) == 2 and texts[0].startswith("model_") and " " in texts[1]:
        return texts[0], texts[1]
    return None


def _text(node: ast.expr) -> str:
    """Of a literal; what is filled in stands as `NAME`."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return ast.unparse(node.value).upper()
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
