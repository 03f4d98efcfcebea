"""One message per incident, to a real HTTP server and a real mail server."""

import json
import socketserver
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.errors import AlertError
from resources.alerts import Alerts
from resources.metrics import EndpointMetrics
from sensors.incidents import build_incident_sensors

FAILED, RECOVERED = build_incident_sensors()


@pytest.fixture
def hook() -> Generator[tuple[str, list[str]]]:
    """The URL of a server that takes messages, and those it took."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/secret-token", taken
        server.shutdown()
        thread.join()


def outcome(instance: dg.DagsterInstance, broken: bool) -> dg.ExecuteInProcessResult:
    @dg.op
    def work() -> None:
        if broken:
            raise dg.Failure("the source is gone; bring it back")

    @dg.job(tags={"mlops/model": "shop"})
    def shop_training() -> None:
        work()

    return shop_training.execute_in_process(instance=instance, raise_on_error=False)


def tell(
    instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, alerts: Alerts, folder: Path
) -> None:
    context = dg.build_run_status_sensor_context(
        "sensor",
        dagster_event=result.all_events[-1],
        dagster_instance=instance,
        dagster_run=instance.get_run_by_id(result.run_id),
    )
    sensor = RECOVERED if result.success else FAILED
    sensor(context, alerts=alerts, metrics=EndpointMetrics(root=str(folder)))


def test_an_incident_is_told_once_and_its_end_once(
    instance: dg.DagsterInstance, hook: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, taken = hook
    gauge = tmp_path / "shop" / "metrics" / "runs.prom"
    for broken in (False, True, True, True, False, False):
        tell(instance, outcome(instance, broken), Alerts(webhook=url), tmp_path)
        value = 'job_name="shop_training",model_name="shop"} ' + ("1.0" if broken else "0.0")
        assert value in gauge.read_text(encoding="utf-8")
    began, ended = taken
    assert began.startswith("shop_training failed")
    assert "the source is gone; bring it back" in began
    assert ended.startswith("shop_training succeeds again")


def test_without_a_webhook_nothing_is_sent(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    tell(instance, outcome(instance, broken=True), Alerts(), tmp_path)


def test_an_undelivered_message_is_an_error_that_keeps_the_secret(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    nobody = Alerts(
        webhook="http://127.0.0.1:1/secret-token",
        smtp="smtp://ada:secret-token@127.0.0.1:1",
        email_to="ada@example.org",
    )
    with pytest.raises(
        AlertError, match=r"webhook at 127\.0\.0\.1 did not.* mail server"
    ) as caught:
        tell(instance, outcome(instance, broken=True), nobody, tmp_path)
    assert "secret-token" not in str(caught.value)


@pytest.fixture
def mailbox() -> Generator[tuple[str, list[str]]]:
    """The URL of a mail server, and what it took, line by line."""
    taken: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline().decode().rstrip():
                taken.append(line)
                if line == "data":
                    self.wfile.write(b"354 go on\r\n")
                    while (line := self.rfile.readline().decode().rstrip()) != ".":
                        taken.append(line)
                self.wfile.write(b"221 bye\r\n" if line == "QUIT" else b"250 good\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}", taken
        server.shutdown()
        thread.join()


def test_an_incident_goes_out_by_mail_though_the_webhook_is_down(
    instance: dg.DagsterInstance, mailbox: tuple[str, list[str]], tmp_path: Path
) -> None:
    smtp, taken = mailbox
    both = Alerts(
        webhook="http://127.0.0.1:1/", smtp=smtp, email_to="ada@example.org, bob@example.org"
    )
    with pytest.raises(AlertError, match="webhook"):
        tell(instance, outcome(instance, broken=True), both, tmp_path)
    assert "rcpt TO:<bob@example.org>" in taken
    text = " ".join(" ".join(taken).split())  # a long header is folded
    assert "Subject: shop_training failed (run " in text
    assert "the source is gone; bring it back" in text


@pytest.mark.parametrize(
    "alerts", [Alerts(smtp="smtp://127.0.0.1"), Alerts(smtp="mail.org", email_to="ada@example.org")]
)
def test_a_half_set_mail_address_says_what_is_missing(alerts: Alerts) -> None:
    with pytest.raises(AlertError, match=r"MLOPS_ALERT_SMTP .* MLOPS_ALERT_EMAIL"):
        alerts.send("x")
