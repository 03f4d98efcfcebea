"""The page itself: HTML that needs no script and nothing from elsewhere, light or dark.

What it says is looked up in `facts`.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from html import escape

from mlops_assets.records.monitoring import DriftSummary, OutcomeFacts
from mlops_assets.records.promotion import Promotion
from mlops_assets.status.facts import ModelStatus, State
from mlops_assets.status.pictures import line
from mlops_assets.status.traffic import Traffic

_PILL: dict[State, tuple[str, str]] = {
    "live": ("good", "live"),
    "odd": ("warn", "not as it should be"),
    "down": ("bad", "down"),
    "new": ("calm", "not deployed"),
}
_VERDICT = {
    "calm": "good",
    "drifted": "bad",
    "good": "good",
    "degraded": "bad",
    "unknown": "calm",
}
_NONE = '<span class="quiet">nothing yet</span>'
_STYLE = """
:root{color-scheme:light dark;--paper:#f8fafc;--card:#fff;--ink:#0f172a;--quiet:#64748b;
--edge:#e2e8f0;--line:#2563eb;--good:#15803d;--warn:#b45309;--bad:#b91c1c}
@media(prefers-color-scheme:dark){:root{--paper:#0b1120;--card:#111a2e;--ink:#e2e8f0;
--quiet:#94a3b8;--edge:#1e293b;--line:#60a5fa;--good:#4ade80;--warn:#fbbf24;--bad:#f87171}}
*{box-sizing:border-box}
body{margin:0;padding:1.5rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
header,main{max-width:72rem;margin:0 auto}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:0;overflow-wrap:anywhere}
main{display:grid;gap:1rem;margin-top:1rem;align-items:start;
grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr))}
article{background:var(--card);border:1px solid var(--edge);border-radius:.6rem;padding:1rem}
article>div{display:flex;justify-content:space-between;align-items:baseline;gap:.5rem}
dl{display:grid;grid-template-columns:7rem 1fr;gap:.4rem .6rem;margin:.8rem 0 0}
dt,.quiet{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere;min-width:0}
.pill{border:1px solid;border-radius:1rem;padding:0 .6rem;font-size:.85rem;white-space:nowrap}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.calm{color:var(--quiet)}
svg{display:block;max-width:100%;margin-top:.2rem}
.line{fill:none;stroke:var(--line);stroke-width:1.6}.dot{fill:var(--line)}
.limit{fill:none;stroke:var(--quiet);stroke-dasharray:3 3}
a{color:var(--line)}
"""


def status_page(models: Sequence[ModelStatus], now: datetime) -> str:
    """The whole page, a card for each model; those that need somebody come first."""
    first = sorted(models, key=lambda one: ["down", "odd", "live", "new"].index(one.state))
    cards = "".join(_card(model, now) for model in first)
    live = sum(model.state == "live" for model in models)
    head = f"{live} of {len(models)} models live" if models else "no model"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{head}</title><style>{_STYLE}</style></head><body>"
        f'<header><h1>{head}</h1><p class="quiet">As of {_moment(now)}.</p></header>'
        f"<main>{cards}</main></body></html>\n"
    )


def _card(model: ModelStatus, now: datetime) -> str:
    tone, word = _PILL[model.state]
    rows = {
        "Serves": _serves(model, now),
        "Requests": _requests(model.traffic),
        "Versions": _versions(model),
        "Drift": _drift(model.drift),
        "Performance": _performance(model.outcomes),
        "Last decision": _decision(model),
        "Next run": _next_run(model),
        "Data": f"read {_ago(model.data_read, now)}" if model.data_read else _NONE,
    }
    listed = "".join(f"<dt>{name}</dt><dd>{said}</dd>" for name, said in rows.items())
    title = f'<h2>{escape(model.model)}</h2><span class="pill {tone}">{word}</span>'
    return f"<article><div>{title}</div><dl>{listed}</dl></article>"


def _serves(model: ModelStatus, now: datetime) -> str:
    said = [f'<span class="warn">{escape(model.said)}</span>'] if model.said else []
    if model.endpoint is not None:
        served = model.endpoint.model_version
        since = next((m for m in reversed(model.moves) if m.to_version == served), None)
        when = f" since {_moment(since.time)} ({_ago(since.time, now)})" if since else ""
        address = escape(model.endpoint.url)
        said.insert(0, f'version {served}{when}<br><a href="{address}">{address}</a>')
    return "<br>".join(said) or _NONE


def _requests(traffic: Traffic | None) -> str:
    if traffic is None:
        return '<span class="quiet">not known</span>'
    if not traffic.asked:
        return '<span class="quiet">none since it started</span>'
    tone = "bad" if traffic.failed else "quiet"
    failed = f'<span class="{tone}">{traffic.failed:,} failed</span>'
    counts = f"{traffic.answered:,} answered, {traffic.refused:,} refused, {failed}"
    if traffic.median_ms is None or traffic.p99_ms is None:
        return counts
    took = f"half within {_ms(traffic.median_ms)}, 99 % within {_ms(traffic.p99_ms)}"
    return f'{counts}<br>{took}<br><span class="quiet">since it started</span>'


def _ms(bound: float) -> str:
    return f"{bound:g} ms" if math.isfinite(bound) else "more than is told apart"


def _versions(model: ModelStatus) -> str:
    """The primary metric of each champion, as it was evaluated."""
    scores = [_score(move, model.primary) for move in model.moves]
    known = [score for score in scores if score is not None]
    if not known:
        return _NONE
    name = escape(model.primary.replace("_", " "))
    limit = "" if model.limit is None else f", the gate's limit {model.limit:.4g}"
    drawn = line(known, model.limit, f"{name} of each champion")
    return f"{name} {known[-1]:.4g}{limit}{drawn}"


def _score(move: Promotion, metric: str) -> float | None:
    metrics = (move.evaluation or {}).get("metrics") or {}
    return metrics.get(metric)


def _drift(windows: Sequence[DriftSummary]) -> str:
    if not windows:
        return _NONE
    newest = windows[-1]
    said = [_said(newest.verdict, newest.window.end)]
    if newest.verdict == "unknown":
        said.append(f"{newest.rows:,} predictions are {newest.why}")
    elif newest.scores:
        most = max(newest.scores, key=lambda name: newest.scores[name])
        said.append(f"most in {escape(most)}, PSI {newest.scores[most]:.3g}")
    said += [escape(reason) for reason in newest.reasons[:2]]
    judged = [window.scores if window.verdict != "unknown" else {} for window in windows]
    most_of_each = [max(scores.values(), default=float("nan")) for scores in judged]
    return "<br>".join(said) + line(most_of_each, None, "largest PSI of each window")


def _performance(outcomes: OutcomeFacts | None) -> str:
    if outcomes is None or not (outcomes.final or outcomes.estimate):
        return _NONE
    windows = [*outcomes.final, *([outcomes.estimate] if outcomes.estimate else [])]
    newest = windows[-1]
    said = [_said(newest.verdict, newest.window.end)]
    if not newest.final:
        said = [_said("unknown", newest.window.end, "waiting for labels of what was predicted")]
    known = newest.metrics or newest.estimated
    name = next((n for n in ("log_loss", "rmse", "accuracy") if n in known), None)
    if name is None:
        return "<br>".join(said)
    how = "" if newest.metrics else ", estimated"
    at_first = newest.reference.get(name)
    when_trained = "" if at_first is None else f", when trained {at_first:.4g}"
    said.append(f"{name.replace('_', ' ')} {known[name]:.4g}{how}{when_trained}")
    values = [(w.metrics or w.estimated).get(name, float("nan")) for w in windows]
    return "<br>".join(said) + line(values, at_first, f"{name} of each window")


def _said(verdict: str, end: datetime, words: str = "") -> str:
    return f'<span class="{_VERDICT[verdict]}">{words or verdict}</span> until {_moment(end)}'


def _decision(model: ModelStatus) -> str:
    said = []
    if model.pause is not None:
        until = _moment(model.pause.until)
        said.append(f'<span class="warn">paused until {until}: {escape(model.pause.why)}</span>')
    if model.decision is not None:
        one = model.decision
        said.append(f"{one.action}: {escape(one.reason)} ({_moment(one.last_seen)})")
    return "<br>".join(said) or _NONE


def _next_run(model: ModelStatus) -> str:
    if model.next_run is None:
        return '<span class="quiet">no schedule is on</span>'
    return f"{model.next_run.job} {_moment(model.next_run.at)}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _ago(moment: datetime, now: datetime) -> str:
    minutes = max(0, int((now - moment).total_seconds() // 60))
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"
