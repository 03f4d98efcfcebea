"""An address that answers anything, or nothing: one sentence, in time, without the secret."""

import contextlib
import socket
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable

import pytest

import resources.alerts
from mlops_assets.errors import AlertError
from resources.alerts import Alerts
from tests.support.services.message_receivers import SECRET, mailbox, webhook

HOOK = f"/hooks/{SECRET}"
REDIRECT = f"HTTP/1.1 302 see {SECRET}\r\nlocation: http://127.0.0.1:1{HOOK}\r\n\r\n"


@contextlib.contextmanager
def answering(chunks: Callable[[], Iterable[bytes]]) -> Generator[str]:
    """Host and port of a server that says this to whoever connects."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    for chunk in chunks():
                        connection.sendall(chunk)
                    connection.settimeout(0.2)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def drip() -> Iterable[bytes]:
    for _ in range(12):
        yield b"2"
        time.sleep(0.05)


def nothing() -> Iterable[bytes]:
    time.sleep(0.6)
    return ()


ANSWERS = [
    lambda: [b"hello\r\n\r\n"],
    lambda: [f"{SECRET} is no protocol\r\n".encode()],
    lambda: [f"HTTP/1.1 500 {SECRET}\r\ncontent-length: 0\r\n\r\n".encode()],
    lambda: [f"535 {SECRET} is wrong\r\n".encode()],
    lambda: [REDIRECT.encode()],
    lambda: [b"\xff" * 70_000],
    list,  # the connection ends at once
    nothing,
    drip,
]


def refusal(alerts: Alerts, address: str) -> str:
    """What is said of a message that was not taken, once it is sure that it is all there is."""
    with pytest.raises(AlertError) as refused:
        alerts.send(address, "customers_training failed")
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    return str(refused.value)


@pytest.mark.parametrize("scheme", ["http", "https", "smtp", "smtps"])
@pytest.mark.parametrize("chunks", ANSWERS)
def test_whatever_a_server_answers_it_is_one_sentence_without_the_secret(
    scheme: str, chunks: Callable[[], Iterable[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources.alerts, "_SECONDS", 0.3)
    with answering(chunks) as place:
        if scheme.startswith("http"):
            said = refusal(Alerts(webhook=f"{scheme}://{place}{HOOK}"), "webhook")
        else:
            mail = f"{scheme}://ada:{SECRET}@{place}"
            said = refusal(Alerts(smtp=mail, email_to="ada@example.org"), "email")
    assert "again at the next look" in said


@pytest.mark.parametrize(
    "url",
    [
        f"https://hooks.example:x{HOOK}",
        f"http://[::1{HOOK}",
        f"http://127.0.0.1:99/hooks/{SECRET} t",
        f"http://127.0.0.1:99/h\u00f6oks/{SECRET}",
        f"https:///{SECRET}",
        f"{SECRET}:hooks",
        f"hooks.example{HOOK}",
        f"file:///{SECRET}",
        f"http://{'a' * 70}.example{HOOK}",
    ],
)
def test_an_address_that_is_no_url_is_said_without_it(url: str) -> None:
    assert "the webhook" in refusal(Alerts(webhook=url), "webhook")
    refusal(Alerts(smtp=url, email_to="ada@example.org"), "email")


@pytest.mark.parametrize("password", ["p\u00e4ss", "%0D%0A", "x" * 2000])
def test_a_password_that_no_server_takes_is_not_quoted(password: str) -> None:
    with mailbox() as mail:
        url = mail.url.replace(SECRET, password + SECRET)
        alerts = Alerts(smtp=url, email_to="ada@example.org")
        with contextlib.suppress(AlertError):
            alerts.send("email", "x")
            assert len(mail.logins) == 1
            return
    refusal(alerts, "email")


@pytest.mark.parametrize(
    ("written", "login"),
    [
        ("ada:s3@", "ada:s3"),
        ("a%40da:p%3A%2F%C3%A4@", "a@da:p:/\u00e4"),
        ("ada@", "ada:"),
        (":s3@", ":s3"),
        ("ada:p\u00e4ss@", "ada:p\u00e4ss"),
        ("ada:s@3@", "ada:s@3"),
    ],
)
def test_a_webhook_is_logged_in_to_as_its_url_says(written: str, login: str) -> None:
    with webhook() as hook:
        url = hook.url.replace("//", f"//{written}")
        Alerts(webhook=url).send("webhook", "customers_training failed")
    assert (hook.taken, hook.logins) == (["customers_training failed"], [login])


def test_the_login_of_a_webhook_that_takes_nothing_is_not_said() -> None:
    said = refusal(Alerts(webhook=f"http://ada:{SECRET}@127.0.0.1:1/hooks"), "webhook")
    assert "the webhook at 127.0.0.1 did not take the message: Connection refused" in said


@pytest.mark.parametrize(
    "text", ["a\r\nb: c", "\udc80 in a name", "", "x" * 100_000, "sn\u00f6\n.\nend"]
)
def test_any_text_is_taken_once_by_each_address(text: str) -> None:
    with webhook() as hook, mailbox() as mail:
        alerts = Alerts(webhook=hook.url, smtp=mail.url, email_to="ada@example.org")
        for address in alerts.addresses:
            alerts.send(address, text)
        assert (len(hook.taken), len(mail.taken)) == (1, 1)


def test_a_password_in_what_a_run_said_goes_to_nobody() -> None:
    text = f"customers_training failed: no answer of postgresql://ml:{SECRET}@db:5432/mlflow"
    with webhook() as hook, mailbox() as mail:
        alerts = Alerts(webhook=hook.url, smtp=mail.url, email_to="ada@example.org")
        for address in alerts.addresses:
            alerts.send(address, text)
        assert SECRET not in "".join([*hook.taken, *mail.taken])
        assert "postgresql://ml:***@db:5432/mlflow" in hook.taken[0]
