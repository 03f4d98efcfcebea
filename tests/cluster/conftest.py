"""A real cluster from nothing, as docs/how-to/kubernetes.md says; taken away again at the end."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.servers import ROOT

NAMESPACE = "mlops"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only who asks for it by the marker, and names a cluster, may have one changed."""
    asked = config.option.markexpr == "cluster" and os.environ.get("KUBECONFIG")
    skip = pytest.mark.skip(reason="needs `-m cluster` and KUBECONFIG of a cluster to throw away")
    for item in items:
        if "tests/cluster/" in item.path.as_posix() and not asked:
            item.add_marker(skip)


def kubectl(*args: str, seconds: float = 60, given: str | None = None) -> str:
    """What it prints; it raises with what it says where it fails."""
    done = subprocess.run(
        ["kubectl", *args], input=given, capture_output=True, text=True, timeout=seconds + 30
    )
    assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
    return done.stdout


def in_namespace(*args: str, **options: Any) -> str:
    return kubectl("--namespace", NAMESPACE, *args, **options)


def found(kind: str, labels: str = "") -> list[dict[str, Any]]:
    return json.loads(in_namespace("get", kind, "--output", "json", "--selector", labels))["items"]


def python(process: str, code: str) -> str:
    """What the code prints in the pod of one of Dagster's processes, as its account."""
    return in_namespace("exec", f"deployment/mlops-{process}", "--", "python", "-c", code)


class Runs:
    """Of Dagster, in the cluster."""

    def launch(self, job: str) -> str:
        """The id of the run that was put into the queue, as the page says to do it."""
        before = self.ids()
        workspace = "/opt/dagster/workspace.yaml"
        launch = ("dagster", "job", "launch", "-w", workspace, "-j", job)
        in_namespace("exec", "deployment/mlops-code", "--", *launch, seconds=180)
        (new,) = self.ids() - before
        return new

    def status(self, run: str) -> str:
        return self._ask(f"print(instance.get_run_by_id({run!r}).status.value)")

    def ended(self, run: str, seconds: float = 1800) -> str:
        deadline = time.monotonic() + seconds
        while (status := self.status(run)) not in ("SUCCESS", "FAILURE", "CANCELED"):
            assert time.monotonic() < deadline, f"run {run} is {status} after {seconds:g} s"
            time.sleep(10)
        return status

    def terminate(self, run: str) -> None:
        ask = f"print(instance.run_launcher.terminate({run!r}))"
        assert self._ask(ask, "webserver") == "True"

    def has_begun(self, run: str) -> bool:
        """Whether one of its steps has."""
        started = "of_type=dagster.DagsterEventType.STEP_START"
        return self._ask(f"print(len(instance.all_logs({run!r}, {started})))") != "0"

    def ids(self) -> set[str]:
        return set(self._ask("print(*(run.run_id for run in instance.get_runs()))").split())

    def _ask(self, code: str, process: str = "code") -> str:
        said = python(process, f"import dagster\ninstance = dagster.DagsterInstance.get()\n{code}")
        return said.strip()


@pytest.fixture(scope="session")
def applied() -> Generator[None]:
    """The trial of the page, in a namespace that must not be there yet; its pods still start."""
    there = kubectl("get", "namespaces", "--output", "name").split()
    assert f"namespace/{NAMESPACE}" not in there, "the namespace mlops is somebody's; delete it"
    try:
        kubectl("apply", "--filename", str(ROOT / "deploy/kubernetes/namespace.yaml"))
        password = f"--from-literal=DAGSTER_PG_PASSWORD={secrets.token_hex(16)}"
        in_namespace("create", "secret", "generic", "mlops-secrets", password)
        kubectl("apply", "--kustomize", str(ROOT / "deploy/trial"))
        yield
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", seconds=300)
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            kubectl("delete", kind, "mlops-given-secrets", "--ignore-not-found")


@pytest.fixture(scope="session")
def runs(applied: None) -> Runs:
    """Of a Dagster whose processes are there."""
    wait_until_available()
    return Runs()


def wait_until_available() -> None:
    available = ("wait", "--for=condition=Available", "deployment", "--all", "--timeout=900s")
    in_namespace(*available, seconds=900)
