"""A real daemon, real runs in processes of their own, a real HTTP server and a real mail server."""

from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli.main import use_dagster_home
from tests.support.runs.incident_location import ORDERS, shop_training
from tests.support.runs.small_dagster import daemon_over
from tests.support.servers import wait_for
from tests.support.services.message_receivers import SECRET, Receiver, mailbox, webhook

pytestmark = pytest.mark.e2e

SENSORS = ("run_failed", "run_recovered")


def daemon(folder: Path, hook: Receiver, mail: Receiver) -> AbstractContextManager[None]:
    """Over `incident_location`, configured as a deployment is."""
    variables = {
        "MLOPS_ALERT_WEBHOOK": hook.url,
        "MLOPS_ALERT_SMTP": mail.url,
        "MLOPS_ALERT_EMAIL": "ada@example.org",
    }
    return daemon_over("tests.support.runs.incident_location", folder, **variables)


def looks(instance: dg.DagsterInstance, sensor: str, *, begun: bool = False) -> int:
    """How many of its looks have ended, or begun."""
    states = [s for s in instance.all_instigator_state() if s.name == sensor]
    ticks = [instance.get_ticks(s.instigator_origin_id, s.selector_id) for s in states]
    return sum(begun or tick.is_completed for one in ticks for tick in one)


def finish_by_hand(instance: dg.DagsterInstance, ending: str) -> None:
    """A run as `mlops run` makes it: by no code server."""
    config = {"ops": {"work": {"config": {"ending": ending}}}}
    shop_training.execute_in_process(config, instance=instance, raise_on_error=False)


def test_two_failures_and_a_success_are_two_messages_to_each_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    use_dagster_home(tmp_path)
    with webhook() as hook, mailbox() as mail, dg.DagsterInstance.get() as instance:
        hook.refuses = 1
        with daemon(tmp_path, hook, mail):
            wait_for("looks", lambda: all(looks(instance, name) for name in SENSORS), 60)
            (tmp_path / ORDERS).write_text("fail")
            wait_for("the mail", lambda: mail.taken, 60)
            finish_by_hand(instance, "fail")
            wait_for("the webhook, asked again", lambda: hook.taken, 30)
            finish_by_hand(instance, "succeed")
            wait_for("the end", lambda: len(hook.taken) == len(mail.taken) == 2, 30)
            seen = looks(instance, "run_recovered", begun=True)
            wait_for("a look more", lambda: looks(instance, "run_recovered") > seen, 30)
        runs = instance.get_runs()

    succeeded, _, failed = runs
    assert [run.status.value for run in runs] == ["SUCCESS", "FAILURE", "FAILURE"]
    began, over = hook.taken
    cause = "work: the source is gone; bring it back"
    assert began == f"shop_training failed (run {failed.run_id[:8]}): {cause}"
    assert over == f"shop_training succeeds again (run {succeeded.run_id[:8]})"
    assert mail.taken == [f"{text}\n{text}" for text in hook.taken]
    assert mail.logins == [f"ada:{SECRET}"] * 2
    assert SECRET not in "".join([*hook.taken, *mail.taken])
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"index.db", "schedules.db", "daemon.log", "runs.prom"} <= {path.name for path in kept}
    assert b"did not take the message" in (tmp_path / "daemon.log").read_bytes()
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
