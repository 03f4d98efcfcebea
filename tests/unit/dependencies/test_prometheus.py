"""What `serving.api.metrics` relies on in Prometheus's client.

Where one fails, look at that module.
"""

import pytest
from prometheus_client import values


def test_a_class_of_values_says_whether_processes_share_them() -> None:
    assert values.MutexValue._multiprocess is False
    assert values.MultiProcessValue()._multiprocess is True


def test_it_is_chosen_once_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = values.ValueClass
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        monkeypatch.delenv(name, raising=False)
    assert values.get_value_class() is values.MutexValue
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "anywhere")
    assert values.get_value_class()._multiprocess is True
    assert values.ValueClass is chosen
