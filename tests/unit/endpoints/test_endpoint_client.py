"""An endpoint that refuses, or is none of ours: one sentence, and never a bare decoding error."""

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from mlops_assets.errors import DeploymentError
from resources.endpoints.client import EndpointClient


class _Handler(BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Generator[type[_Handler]]:
    handler = type("Handler", (_Handler,), {})
    with HTTPServer(("127.0.0.1", 0), handler) as listening:
        handler.url = f"http://127.0.0.1:{listening.server_port}"
        thread = Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield handler
        listening.shutdown()


def refusal(message: str, *details: dict[str, str]) -> bytes:
    error = {"code": "x", "message": message, "details": list(details)}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, refusal("no features of 9", {"entity": "9"}), "answered 404: no features of 9"),
        (422, refusal("refused", {"field": "x", "message": "is null"}), "422: refused; x: is null"),
        (200, b"<html>hello</html>", "no endpoint of ours says, '<html>hello</html>'; see which"),
        (200, b"{}", "no endpoint of ours says"),
        (200, b"[1]", "no endpoint of ours says"),
        (200, b"", "no endpoint of ours says"),
        (200, b"\xff\xfe", "no endpoint of ours says"),
        (200, b'"' + b"\xff" * 3 + b'"', "no endpoint of ours says"),
        (500, b"Internal Server Error", "answered 500 with what no endpoint of ours says"),
        (502, b'{"error": "bad gateway"}', "answered 502 with what no endpoint of ours says"),
        (302, b"", "answered 302 with what"),
    ],
)
def test_what_an_endpoint_answers_is_a_sentence(
    server: type[_Handler], status: int, body: bytes, said: str
) -> None:
    server.status, server.body = status, body
    client = EndpointClient(server.url)
    for ask in (client.model, lambda: client.predict([9]), lambda: client.predict_features([{}])):
        with pytest.raises(DeploymentError) as caught:
            ask()
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
