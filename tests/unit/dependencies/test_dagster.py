"""What `resources.dagster.internals` relies on in Dagster. Where one fails, look at that module.

What Dagster does with a run is tested in `tests/graph/dagster` and `tests/e2e/dagster`.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.execution.compute_logs import mirror_stream_to_file
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
)
from dagster._serdes import serialize_value

from resources.dagster.internals import (
    DagsterUserCodeUnreachableError,
    ObjectMetadataValue,
    RetryMode,
    SerializableErrorInfo,
    SubmitRunContext,
    UnresolvedAssetJobDefinition,
    code_server_client,
    deserialize_value,
    with_step_handler,
    without_mirror,
    workspace_process,
)


def test_a_code_server_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    client = code_server_client(str(tmp_path / "code.sock"))
    for ask in (client.get_server_id, client.reload_code):
        with pytest.raises(DagsterUserCodeUnreachableError):
            ask(timeout=1)
    with pytest.raises(DagsterUserCodeUnreachableError):
        client.list_repositories()


def test_an_error_that_it_sends_is_known_by_its_class() -> None:
    sent = serialize_value(SerializableErrorInfo("line 3 is wrong", [], "ConfigError"))
    found = deserialize_value(sent)
    assert isinstance(found, SerializableErrorInfo)
    assert found.message == "line 3 is wrong"


def test_definitions_keep_an_object_that_no_other_process_is_sent() -> None:
    kept = Path("secret")
    definitions = dg.Definitions(metadata={"kept": ObjectMetadataValue(kept)})
    value = dg.Definitions.merge(definitions, dg.Definitions()).metadata["kept"]
    assert isinstance(value, ObjectMetadataValue)
    assert value.instance is kept
    sent = serialize_value(value)
    assert type(kept).__name__ in sent
    assert "secret" not in sent


def test_the_web_server_is_made_of_a_workspace_file(tmp_path: Path) -> None:
    from dagster_webserver.webserver import DagsterWebserver

    file = tmp_path / "workspace.yaml"
    file.write_text("load_from: []\n", encoding="utf-8")
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        workspace_process(instance, file, "1") as context,
    ):
        assert context.create_request_context().code_location_names == []
        assert callable(DagsterWebserver(context).create_asgi_app())


class Steps(StepHandler):
    """Of a cluster that nobody asks."""

    @property
    def name(self) -> str:
        return "steps"

    def launch_step(self, step_handler_context: Any) -> Iterator[dg.DagsterEvent]:
        raise NotImplementedError

    def terminate_step(self, step_handler_context: Any) -> Iterator[dg.DagsterEvent]:
        raise NotImplementedError

    def check_step_health(self, step_handler_context: Any) -> CheckStepHealthResult:
        raise NotImplementedError

    def sift(self, instance: dg.DagsterInstance, run: str, events: list[Any]) -> list[Any]:
        return [*events, "more"]


def test_the_executor_asks_the_handler_that_we_changed() -> None:
    executor, other = StepDelegatingExecutor(Steps(), RetryMode.DISABLED), Steps()
    with_step_handler(executor, lambda _handler: other)
    assert executor._step_handler is other
    source = inspect.getsource(StepDelegatingExecutor)
    assert "self._step_handler.check_step_health(" in source
    assert "self._step_handler.launch_step(" in source


def test_the_executor_hears_of_what_is_sifted(instance: dg.DagsterInstance) -> None:
    executor = StepDelegatingExecutor(Steps(), RetryMode.DISABLED)
    with_step_handler(executor, lambda handler: handler)
    assert executor._pop_events(instance, "no run", set()) == ["more"]
    assert "self._pop_events(" in inspect.getsource(StepDelegatingExecutor.execute)


def test_dagster_k8s_names_a_job_by_the_step_that_it_asks_for() -> None:
    from dagster_k8s.executor import K8sStepHandler

    for method in ("launch_step", "check_step_health", "terminate_step", "_get_k8s_step_job_name"):
        assert "self._get_step_key(" in inspect.getsource(getattr(K8sStepHandler, method))


def test_our_executors_pass_on_all_that_an_executor_is() -> None:
    """Or Dagster would take a default where it asks for something new."""
    told = {name for name, part in vars(dg.Executor).items() if isinstance(part, property)}
    assert told == {"retries", "step_dependency_config"}
    assert dg.Executor.__abstractmethods__ == {"execute", "retries"}
    made_of = [*inspect.signature(dg.ExecutorDefinition.__init__).parameters][1:]
    assert set(made_of) == {
        "name",
        "config_schema",
        "requirements",
        "executor_creation_fn",
        "description",
    }


def test_a_run_that_is_submitted_comes_with_the_page_that_asked() -> None:
    assert SubmitRunContext._fields == ("dagster_run", "workspace")
    assert list(inspect.signature(dg.QueuedRunCoordinator.submit_run).parameters)[1:] == ["context"]
    assert hasattr(dg.QueuedRunCoordinator, "_instance")


def test_a_job_of_assets_is_what_its_type_says() -> None:
    made = dg.define_asset_job("any", selection="*")
    assert isinstance(made, UnresolvedAssetJobDefinition)


def test_what_a_step_prints_is_kept_without_processes_that_pass_it_on(tmp_path: Path) -> None:
    file, before = tmp_path / "step.out", psutil.Process().children()  # of libraries, e.g. joblib
    with (tmp_path / "stdout").open("w") as stream:
        with without_mirror(), mirror_stream_to_file(stream, str(file)):
            stream.write("said in a step\n")
            stream.flush()
            assert psutil.Process().children() == before
        with mirror_stream_to_file(stream, str(tmp_path / "other.out")):
            more = len(psutil.Process().children()) - len(before)
            assert more == 2, "else nothing is there to be left out"
    assert file.read_text() == "said in a step\n"
