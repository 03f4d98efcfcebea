"""Batch figures in Prometheus's text format."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from resources.endpoints.metrics import EndpointMetrics, Gauge


def test_a_family_carries_the_model_and_its_own_labels(tmp_path: Path) -> None:
    values = {("1", 'a "quoted" feature'): 0.5, ("1", "b"): 0.0}
    gauge = Gauge(
        name="model_feature_drift", help="PSI.", labels=("version", "feature"), values=values
    )
    file = EndpointMetrics(root=str(tmp_path)).write("shop", "drift", [gauge])

    assert file == tmp_path / "shop" / "metrics" / "drift.prom"
    (family,) = text_string_to_metric_families(file.read_text(encoding="utf-8"))
    assert family.documentation == "PSI."
    assert {
        (*(s.labels[n] for n in ("model_name", "version", "feature")), s.value)
        for s in family.samples
    } == {
        ("shop", "1", 'a "quoted" feature', 0.5),
        ("shop", "1", "b", 0.0),
    }


def test_a_second_write_replaces_the_first(tmp_path: Path) -> None:
    metrics = EndpointMetrics(root=str(tmp_path))
    metrics.write("shop", "drift", [Gauge(name="old", help="Old.", values={(): 1.0})])
    file = metrics.write("shop", "drift", [Gauge(name="new", help="New.", values={(): 2.0})])
    assert "old" not in file.read_text(encoding="utf-8")
