"""The Grafana dashboards as code; `python deploy/grafana/dashboards.py` writes their JSON.

Three questions, three dashboards: `fleet` (is everything up?), `model` (how does one model serve
and predict?) and `drift` (what has moved?). A panel is a title, queries and a unit: what a query
means stands in `deploy/prometheus/rules.yml` or in the help texts of the endpoint.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
_SOURCE = "prometheus"


@dataclass(frozen=True)
class Panel:
    """One picture; `queries` is legend -> PromQL."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    note: str = ""
    number: bool = False


@dataclass(frozen=True)
class Board:
    """One dashboard; with `by_model`, its queries may use the variable $model."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    by_model: bool = False


FLEET = Board(
    "mlops-fleet",
    "Models: fleet",
    (
        Panel("Endpoints up", {"{{instance}}": 'up{job="endpoints"}'}, number=True),
        Panel(
            "Version served",
            {"{{model_name}}": "max by (model_name) (model_build_info_version)"},
            number=True,
        ),
        Panel("Predictions per second", {"{{model_name}}": "model:predictions:rate5m"}, "ops"),
        Panel("Latency, p99", {"{{model_name}}": "model:latency:p99_5m"}, "s"),
        Panel(
            "Failed requests",
            {"{{model_name}}": "model:failures:ratio_rate5m"},
            "percentunit",
            "Faults of the endpoint; what it refuses rightly is not among them.",
        ),
        Panel(
            "Newest online features",
            {"{{model_name}}": "model_online_features_age_seconds"},
            "s",
            "Their age; older than the TTL, they are not served.",
        ),
        Panel("Free disk", {"{{model_name}}": "model_disk_free_bytes"}, "bytes"),
        Panel("Runs that fail", {"{{job_name}}": "model_run_failing"}, number=True),
    ),
)
MODEL = Board(
    "mlops-model",
    "Models: one model",
    (
        Panel(
            "Predictions per second, by version",
            {
                "version {{version}}": "sum by (version) "
                '(rate(model_predictions_total{model_name="$model"}[5m]))'
            },
            "ops",
        ),
        Panel(
            "Latency",
            {
                f"p{int(q * 100)}": f"histogram_quantile({q}, sum by (le) "
                '(rate(model_prediction_latency_seconds_bucket{model_name="$model"}[5m])))'
                for q in (0.5, 0.99)
            },
            "s",
        ),
        Panel(
            "Requests, by outcome",
            {
                "{{outcome}}": "sum by (outcome) "
                '(rate(model_requests_total{model_name="$model"}[5m]))'
            },
            "ops",
        ),
        Panel(
            "Entities refused, by reason",
            {
                "{{reason}}": "sum by (reason) "
                '(rate(model_entities_refused_total{model_name="$model"}[5m]))'
            },
            "ops",
            "The online store does not have them, or only features older than their TTL.",
        ),
        Panel(
            "Quality",
            {"{{metric}}, {{kind}}": 'model_performance{model_name="$model"}'},
            note="Measured by labels, estimated before they come, and on the held-out rows.",
        ),
        Panel(
            "Error of the estimate",
            {"{{metric}}": 'model_performance_estimate_error{model_name="$model"}'},
            note="Estimated less measured, of the newest window with all its labels.",
        ),
        Panel(
            "Log waiting to be compacted",
            {"{{model_name}}": 'model_prediction_log_backlog_bytes{model_name="$model"}'},
            "bytes",
        ),
        Panel("Age of the version", {"": 'model_age_seconds{model_name="$model"}'}, "s"),
    ),
    by_model=True,
)
DRIFT = Board(
    "mlops-drift",
    "Models: drift",
    (
        Panel(
            "Drift by feature (PSI)",
            {"{{feature}}": 'model_feature_drift{model_name="$model"}'},
            note="Below 0.1 nothing moved; above 0.25 much did.",
        ),
        Panel(
            "Strongest drift now",
            {"{{feature}}": 'topk(5, model_feature_drift{model_name="$model"})'},
            number=True,
        ),
        Panel(
            "Serving skew",
            {"{{feature}}": 'model_feature_skew_ratio{model_name="$model"}'},
            "percentunit",
            "Share of sampled requests whose feature the offline store knows otherwise.",
        ),
        Panel(
            "Since the last look",
            {
                report: f'time() - model_{report}_last_run_timestamp_seconds{{model_name="$model"}}'
                for report in ("drift", "performance", "skew")
            },
            "s",
            number=True,
        ),
    ),
    by_model=True,
)
BOARDS = (FLEET, MODEL, DRIFT)


def render(board: Board) -> str:
    """The dashboard as the JSON that Grafana provisions."""
    from grafana_foundation_sdk.builders import dashboard
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["mlops"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("utc")
    )
    if board.by_model:
        variable = (
            dashboard.QueryVariable("model")
            .label("Model")
            .datasource(DataSourceRef(type_val="prometheus", uid=_SOURCE))
            .query("label_values(model_predictions_total, model_name)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
        built.with_variable(variable)
    for panel in board.panels:
        built.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _panel(panel: Panel) -> Any:
    from grafana_foundation_sdk.builders import prometheus, stat, timeseries
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    built = (stat.Panel() if panel.number else timeseries.Panel()).title(panel.title)
    built.unit(panel.unit).description(panel.note).span(12).height(8)
    built.datasource(DataSourceRef(type_val="prometheus", uid=_SOURCE))
    for letter, (legend, expression) in zip("ABCDEF", panel.queries.items(), strict=False):
        query = prometheus.Dataquery().expr(expression).ref_id(letter)
        built.with_target(query.legend_format(legend or "__auto"))
    return built


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(render(board), encoding="utf-8")


if __name__ == "__main__":
    main()
