"""What `serving.api.metrics` relies on in Prometheus's client.

Where one fails, look at that module.
"""

from prometheus_client import values


def test_a_class_of_values_says_whether_processes_share_them() -> None:
    assert values.MutexValue._multiprocess is False
    assert values.MultiProcessValue()._multiprocess is True


def test_it_is_chosen_once_by_the_variable(monkeypatch) -> None:
    assert values.get_value_class() is values.MutexValue is values.ValueClass
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "anywhere")
    assert values.get_value_class()._multiprocess is True
    assert values.ValueClass is values.MutexValue
