"""What is said of a step whose pod the cluster ended."""

import pytest

from resources.cluster.steps import why_ended


def pod(**status: object) -> dict:
    return {"metadata": {"name": "step-1"}, "status": status}


def ended(reason: str, code: int) -> dict:
    terminated = {"terminated": {"reason": reason, "exitCode": code}}
    return pod(containerStatuses=[{"state": terminated}])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ended("OOMKilled", 137), "step-1 was killed for its memory (OOMKilled); raise compute."),
        (pod(reason="Evicted", message="The node was low"), "evicted (The node was low); raise"),
        (ended("Error", 143), "step-1 ended with exit code 143"),
    ],
)
def test_the_pod_says_why_and_what_to_do(status: dict, said: str) -> None:
    assert said in why_ended(status, "customers__trained_model")


def test_the_remedy_names_the_asset() -> None:
    why = why_ended(ended("OOMKilled", 137), "customers__trained_model")
    assert "compute.trained_model.memory" in why


@pytest.mark.parametrize("status", [pod(), ended("Completed", 0)])
def test_a_pod_that_did_not_fail_says_nothing(status: dict) -> None:
    assert why_ended(status, "customers__trained_model") == ""
