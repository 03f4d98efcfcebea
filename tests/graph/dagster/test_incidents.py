"""One message per incident, to a real HTTP server and a real mail server."""

import json
import uuid
from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.definitions import defs
from mlops_assets.errors import AlertError
from resources.alerts import Alerts
from resources.endpoints.metrics import EndpointMetrics
from sensors.incidents import JOBS, build_incident_sensors, failing_jobs
from tests.support.services.message_receivers import SECRET, Receiver, mailbox, webhook

PEOPLE = "ada@example.org, bob@example.org"


class Watch:
    """Both sensors, as the daemon evaluates them one after the other."""

    def __init__(self, instance: dg.DagsterInstance, folder: Path, alerts: Alerts) -> None:
        self.instance, self.alerts = instance, alerts
        self.metrics = EndpointMetrics(root=str(folder))
        self.cursors: dict[str, str | None] = {}
        self.look()  # what ended before is not told

    def look(self) -> dict[str, str]:
        """What each says that it did."""
        said = {}
        for sensor in build_incident_sensors():
            context = dg.build_sensor_context(self.instance, cursor=self.cursors.get(sensor.name))
            result = sensor(context, alerts=self.alerts, metrics=self.metrics)
            assert isinstance(result, dg.SensorResult)
            assert isinstance(result.skip_reason, dg.SkipReason)
            self.cursors[sensor.name] = result.cursor
            said[sensor.name] = result.skip_reason.skip_message or ""
        return said


def run_a_job(instance: dg.DagsterInstance, *, broken: bool) -> None:
    @dg.op
    def work() -> None:
        if broken:
            raise dg.Failure("the source is gone; bring it back")

    @dg.job(tags={"mlops/model": "shop"})
    def shop_training() -> None:
        work()

    shop_training.execute_in_process(instance=instance, raise_on_error=False)


@pytest.fixture
def hook() -> Generator[Receiver]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Generator[Receiver]:
    with mailbox() as receiver:
        yield receiver


def test_an_incident_is_told_once_and_its_end_once(
    instance: dg.DagsterInstance, hook: Receiver, tmp_path: Path
) -> None:
    watch = Watch(instance, tmp_path, Alerts(webhook=hook.url))
    gauge = tmp_path / "shop" / "metrics" / "runs.prom"
    for broken in (False, True, True, True, False, False):
        run_a_job(instance, broken=broken)
        watch.look()
        value = 'job_name="shop_training",model_name="shop"} ' + ("1.0" if broken else "0.0")
        assert value in gauge.read_text(encoding="utf-8")
    began, ended = hook.taken
    assert began.startswith("shop_training failed (run ")
    assert began.endswith("work: the source is gone; bring it back")
    assert ended.startswith("shop_training succeeds again")


def test_of_a_run_that_was_interrupted_its_end_says_why(
    instance: dg.DagsterInstance, tmp_path: Path, hook: Receiver
) -> None:
    """Not its step, which knows no more than that."""
    watch = Watch(instance, tmp_path, Alerts(webhook=hook.url))

    @dg.op
    def work() -> None:
        raise KeyboardInterrupt

    @dg.job
    def shop_training() -> None:
        work()

    shop_training.execute_in_process(instance=instance, raise_on_error=False)
    watch.look()
    (told,) = hook.taken
    assert "shop_training failed" in told
    assert "No user initiated termination request was found" in told


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ((False,), []),
        ((False, True, False), ["failed", "succeeds again"]),
        ((True, True, False, False), ["failed", "succeeds again"]),
    ],
)
def test_a_new_address_is_told_of_a_job_that_failed_before_when_it_fails_again(
    instance: dg.DagsterInstance,
    hook: Receiver,
    mail: Receiver,
    tmp_path: Path,
    broken: tuple[bool, ...],
    told: list[str],
) -> None:
    watch = Watch(instance, tmp_path, Alerts(webhook=hook.url))
    for _ in range(2):
        run_a_job(instance, broken=True)
        watch.look()
    watch.alerts = Alerts(webhook=hook.url, smtp=mail.url, email_to=PEOPLE)
    watch.look()
    for one in broken:
        run_a_job(instance, broken=one)
        watch.look()
    firsts = [text.removeprefix("shop_training ").split(" (")[0] for text in mail.taken]
    assert firsts == told
    assert hook.taken[0].startswith("shop_training failed")
    assert hook.taken[1].startswith("shop_training succeeds again")


def test_runs_that_ended_between_two_looks_are_told_as_if_each_had_been_seen(
    instance: dg.DagsterInstance, hook: Receiver, tmp_path: Path
) -> None:
    watch = Watch(instance, tmp_path, Alerts(webhook=hook.url))
    for broken in (True, True, False, True, True):
        run_a_job(instance, broken=broken)
    watch.look()
    assert [text.split(" (")[0] for text in hook.taken] == [
        *("shop_training failed", "shop_training failed"),  # one sensor looks after the other
        "shop_training succeeds again",
    ]


def test_the_cursor_of_an_earlier_release_is_no_place(
    instance: dg.DagsterInstance, hook: Receiver, tmp_path: Path
) -> None:
    watch = Watch(instance, tmp_path, Alerts(webhook=hook.url))
    old = '{"__class__": "RunStatusSensorCursor", "record_id": 1, "record_timestamp": null}'
    watch.cursors = dict.fromkeys(watch.cursors, old)
    run_a_job(instance, broken=True)
    watch.look()
    assert hook.taken == []
    watch.cursors = {name: _numbers(cursor) for name, cursor in watch.cursors.items()}
    run_a_job(instance, broken=False)
    watch.look()
    (text,) = hook.taken
    assert text.startswith("shop_training succeeds again")


def _numbers(cursor: str | None) -> str:
    """The cursor as the last release wrote it."""
    return json.dumps({name: place for name, (place, _) in json.loads(cursor or "{}").items()})


def test_without_an_address_nobody_is_told_and_the_look_says_so(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    watch = Watch(instance, tmp_path, Alerts())
    run_a_job(instance, broken=True)
    assert "MLOPS_ALERT_WEBHOOK" in watch.look()["run_failed"]


@pytest.mark.parametrize("down", ["webhook", "email"])
def test_what_an_address_refused_it_gets_at_a_later_look_and_the_other_gets_it_once(
    instance: dg.DagsterInstance, hook: Receiver, mail: Receiver, tmp_path: Path, down: str
) -> None:
    alerts = Alerts(webhook=hook.url, smtp=mail.url, email_to=PEOPLE)
    watch = Watch(instance, tmp_path, alerts)
    broken, good = (hook, mail) if down == "webhook" else (mail, hook)
    broken.refuses = 2

    run_a_job(instance, broken=True)
    first = watch.look()["run_failed"]
    with pytest.raises(AlertError, match=r"127\.0\.0\.1 did not take the message") as second:
        watch.look()  # nobody got on by this look, so it fails as a whole
    assert (len(broken.taken), len(good.taken)) == (0, 1)
    assert "did not take the message" in first
    assert SECRET not in first + str(second.value)

    for _ in range(2):
        watch.look()
    run_a_job(instance, broken=False)
    watch.look()
    assert (len(broken.taken), len(good.taken)) == (2, 2)


@pytest.mark.parametrize(
    "hook", ["http://127.0.0.1:1/{}", "https://hooks.example:x/{}", "http://[::1/{}", "{}"]
)
def test_a_webhook_that_cannot_be_called_keeps_no_mail_back(
    instance: dg.DagsterInstance, mail: Receiver, tmp_path: Path, hook: str
) -> None:
    alerts = Alerts(webhook=hook.format(SECRET), smtp=mail.url, email_to=PEOPLE)
    watch = Watch(instance, tmp_path, alerts)
    run_a_job(instance, broken=True)
    said = watch.look()["run_failed"]
    assert SECRET not in said
    for _ in range(2):
        with pytest.raises(AlertError):
            watch.look()
    assert len(mail.taken) == 1


def test_a_job_stays_failing_until_it_succeeds_however_many_others_run(
    instance: dg.DagsterInstance,
) -> None:
    def ended(job: str, status: dg.DagsterRunStatus) -> None:
        instance.add_run(
            dg.DagsterRun(job, str(uuid.uuid4()), status=status, tags={"mlops/model": "shop"})
        )

    for job in ("shop_training", "shop_of_theirs"):
        ended(job, dg.DagsterRunStatus.FAILURE)
    for _ in range(120):
        ended("shop_monitoring", dg.DagsterRunStatus.SUCCESS)
    failing = {("shop_monitoring",): 0.0, ("shop_of_theirs",): 1.0, ("shop_training",): 1.0}
    assert failing_jobs(instance, "shop").values == failing

    for _ in range(120):
        ended("shop_deployment", dg.DagsterRunStatus.FAILURE)
    assert failing_jobs(instance, "shop").values["shop_training",] == 1
    ended("shop_training", dg.DagsterRunStatus.SUCCESS)
    assert failing_jobs(instance, "shop").values["shop_training",] == 0


def test_every_job_of_a_model_is_known_to_its_gauge() -> None:
    names = defs().get_repository_def().job_names
    assert {f"customers_{job}" for job in JOBS} == {n for n in names if n.startswith("customers")}


def test_a_mail_goes_to_everybody_after_a_login(
    instance: dg.DagsterInstance, mail: Receiver, tmp_path: Path
) -> None:
    watch = Watch(instance, tmp_path, Alerts(smtp=mail.url, email_to=PEOPLE))
    run_a_job(instance, broken=True)
    watch.look()
    (text,) = mail.taken
    subject, _, body = text.partition("\n")
    assert subject == body
    assert "the source is gone; bring it back" in body
    assert mail.recipients == PEOPLE.split(", ")
    assert mail.logins == [f"ada:{SECRET}"]


def test_a_folder_that_cannot_be_written_stops_no_message(
    instance: dg.DagsterInstance, hook: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "shop").touch()
    watch = Watch(instance, tmp_path, Alerts(webhook=hook.url))
    run_a_job(instance, broken=True)
    assert str(tmp_path / "shop") in watch.look()["run_failed"]
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    "alerts", [Alerts(smtp="smtp://127.0.0.1"), Alerts(smtp="mail.org", email_to="ada@example.org")]
)
def test_a_half_set_mail_address_says_what_is_missing(alerts: Alerts) -> None:
    with pytest.raises(AlertError, match=r"MLOPS_ALERT_SMTP .* MLOPS_ALERT_EMAIL"):
        alerts.send("email", "x")
