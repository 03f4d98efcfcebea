"""Where the MLflow UI is, and that nothing tells the password of the store."""

import threading
import traceback
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from mlops_assets.errors import TrackingError
from mlops_assets.failures import reported
from resources.tracking.store import ui_url
from resources.tracking.tracking import MLflowTracking


@pytest.mark.parametrize(
    ("tracking_uri", "address"),
    [
        ("https://ada:secret@mlflow.example:8443/team/", "https://mlflow.example:8443/team"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("sqlite:////srv/mlflow.db", "http://127.0.0.1:5000"),
        ("postgresql://ada:secret@db/mlflow", "http://127.0.0.1:5000"),
    ],
)
def test_the_address_holds_no_password(tracking_uri: str, address: str) -> None:
    assert ui_url(tracking_uri, "http://127.0.0.1:5000/") == address


class Refusing(BaseHTTPRequestHandler):
    """A tracking server that knows nobody."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b"no")

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def port() -> Generator[int]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(uri: str) -> None:
    tracking = MLflowTracking(tracking_uri=uri, artifacts="mlflow-artifacts:/x")
    with reported():
        tracking.registry.version_by_alias("loans", "champion")


def test_a_refusal_tells_the_address_and_no_password(port: int) -> None:
    """Nor does what it was raised from, which the event log keeps."""
    uri = f"http://ada:zzSECRETzz@127.0.0.1:{port}"
    with pytest.raises(dg.Failure) as refused:
        ask(uri)
    said = "".join(traceback.format_exception(refused.value))
    assert f"http://ada:***@127.0.0.1:{port}" in said
    assert "zzSECRETzz" not in said


@pytest.mark.parametrize("password", ["zzSECRETzz/1", "1/zzSECRETzz", "zz?SECRET", "zz#SECRETzz"])
def test_a_password_that_breaks_the_address_is_not_told(password: str) -> None:
    with pytest.raises((dg.Failure, TrackingError)) as refused:
        ask(f"http://ada:{password}@127.0.0.1:1")
    said = "".join(traceback.format_exception(refused.value))
    assert "SECRET" not in said


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+pg8000", "mysql"])
def test_a_database_without_a_driver_is_one_sentence(scheme: str) -> None:
    tracking = MLflowTracking(tracking_uri=f"{scheme}://ada:secret@db:5432/mlflow", artifacts="x")
    with pytest.raises(TrackingError, match=r"driver '\w+' is not installed; install it") as said:
        tracking.store.make_ready()
    assert "secret" not in "".join(traceback.format_exception(said.value))
