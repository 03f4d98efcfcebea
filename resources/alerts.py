"""Messages to people, one per incident: to a webhook (Slack and its kin), by e-mail, or both.

Which incident is told, and once, is `sensors.incidents`; alerts of figures are Prometheus'
(`deploy/prometheus/`).
"""

import base64
import contextlib
import http.client
import json
import smtplib
import ssl
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import dagster as dg
from pydantic import Field

from mlops_assets.errors import AlertError
from mlops_assets.redaction import without_secrets

_SECONDS = 12.0
"""For one message to one address, whatever comes back and however slowly."""
_NOT_TAKEN = (OSError, http.client.HTTPException, smtplib.SMTPException, ValueError)
"""What a server that speaks no HTTP or SMTP raises, or a part of an address that cannot be sent."""


class Alerts(dg.ConfigurableResource):
    """The addresses of whom to tell; without one nobody is told.

    >>> Alerts(webhook="https://hooks.example.com/T0").addresses
    ('webhook',)
    """

    webhook: str = Field(
        "",
        description="`https://[USER:PASSWORD@]HOST...`; gets `{'text': ...}`. A secret in most "
        "services.",
    )
    smtp: str = Field(
        "", description="`smtp://[USER:PASSWORD@]HOST[:PORT]`, or `smtps://`. Holds a secret."
    )
    email_to: str = Field("", description="Addresses, separated by commas.")
    email_from: str = Field("", description="The sender's address; default: the first of them.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """Which of `webhook` and `email` there are."""
        return (*(["webhook"] if self.webhook else []), *(["email"] if self.smtp else []))

    def send(self, address: str, text: str) -> None:
        """Send one message to one of the addresses, without the passwords of URLs in it.

        That it was not taken in time is an `AlertError`, which names a host, never a URL.
        """
        deliver = {"webhook": self._post, "email": self._mail}[address]
        # A lone surrogate, as in the name of a file, can be said by neither.
        said = without_secrets(text).encode(errors="replace").decode()
        _in_time(address, lambda: deliver(said))

    def _post(self, text: str) -> None:
        parts = _split(self.webhook)
        if parts is None or parts.scheme not in ("http", "https"):
            raise AlertError(
                "the webhook is no URL; set MLOPS_ALERT_WEBHOOK to one with http or https"
            )
        try:
            request = urllib.request.Request(  # noqa: S310  the scheme was looked at
                parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
                data=json.dumps({"text": text}).encode(),
                headers={"content-type": "application/json", **_basic_login(parts)},
            )
            opener = urllib.request.build_opener(_AsAnswered)
            with opener.open(request, timeout=_SECONDS) as answer:
                reason = None if answer.status // 100 == 2 else f"HTTP status {answer.status}"
        except _NOT_TAKEN as err:
            reason = _reason(err)
        if reason:  # outside of the handler: the cause quotes the URL
            raise AlertError(
                f"the webhook at {parts.hostname} did not take the message: {reason}; it is "
                "sent again at the next look"
            )

    def _mail(self, text: str) -> None:
        parts = _split(self.smtp)
        recipients = [address.strip() for address in self.email_to.split(",") if address.strip()]
        if parts is None or parts.scheme not in ("smtp", "smtps") or not recipients:
            raise AlertError(
                "no e-mail can be sent: set MLOPS_ALERT_SMTP to smtp://HOST or smtps://HOST and "
                f"MLOPS_ALERT_EMAIL to whom it goes ({recipients})"
            )
        message = EmailMessage()
        message["Subject"] = " ".join(text.partition("\n")[0].split())[:150]
        try:
            message["From"] = self.email_from or recipients[0]
            message["To"] = ", ".join(recipients)
            message.set_content(text)
            _send_mail(message, parts)
        except _NOT_TAKEN as err:
            raise AlertError(
                f"the mail server {parts.hostname} did not take the message: {_reason(err)}; it is "
                "sent again at the next look"
            ) from None  # the cause may quote the password


class _AsAnswered(urllib.request.HTTPErrorProcessor):
    """No redirect is followed: it would be by a GET, which takes no message, to another host."""

    def http_response(self, request: Any, response: Any) -> Any:
        """The answer, whatever its status."""
        return response

    https_response = http_response


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that names a host; None for any other text."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:  # e.g. of a port; it quotes what may be a password
        return None


def _basic_login(parts: SplitResult) -> dict[str, str]:
    """The header for the user and the password of a URL; none for one without."""
    if parts.username is None:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {"authorization": f"Basic {base64.b64encode(login).decode()}"}


def _reason(err: Exception) -> str:
    """The operating system's words where it has some; never the server's, which may quote a URL."""
    reason = getattr(err, "reason", err)
    known = isinstance(reason, OSError) and reason.strerror
    return str(known or type(reason if isinstance(reason, Exception) else err).__name__)


def _in_time(address: str, deliver: Callable[[], None]) -> None:
    """Deliver, but give up when time is up: a timeout of sockets is one of each byte."""
    outcome: Future[None] = Future()

    def deliver_it() -> None:
        try:
            outcome.set_result(deliver())
        except Exception as err:  # raised again below
            outcome.set_exception(err)

    threading.Thread(target=deliver_it, daemon=True).start()
    try:
        outcome.result(timeout=_SECONDS)
    except TimeoutError:
        raise AlertError(
            f"the {address} server did not answer within {_SECONDS:g} s; the message is sent "
            "again at the next look"
        ) from None


def _send_mail(message: EmailMessage, parts: SplitResult) -> None:
    """Send it, encrypted wherever the server offers it."""
    context = ssl.create_default_context()
    host, secure = str(parts.hostname), parts.scheme == "smtps"
    if secure:
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
    try:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=context)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.putcmd("quit")  # the answer is no matter: the server has the message
    finally:
        server.close()
