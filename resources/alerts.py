"""Messages to people, one per incident: to a webhook (Slack and its kin), by e-mail, or both."""

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import dagster as dg
from pydantic import Field

from mlops_assets.errors import AlertError

_TIMEOUT_SECONDS = 10.0


class Alerts(dg.ConfigurableResource):
    """The addresses of whom to tell; without one nobody is told."""

    webhook: str = Field("", description="Gets `{'text': ...}`. A secret in most services.")
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
        """Send one message to one of the addresses.

        Raises:
            AlertError: It was not taken. The message names a host, never a URL.
        """
        {"webhook": self._post, "email": self._mail}[address](text)

    def _post(self, text: str) -> None:
        parts = urlsplit(self.webhook)
        if parts.scheme not in ("http", "https"):
            raise AlertError(
                f"the webhook's scheme is {parts.scheme!r}; set MLOPS_ALERT_WEBHOOK to an "
                "http or https URL"
            )
        request = urllib.request.Request(  # noqa: S310  the scheme was looked at
            self.webhook,
            data=json.dumps({"text": text}).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS).close()  # noqa: S310
        except (urllib.error.URLError, OSError) as err:
            reason = getattr(err, "reason", None) or type(err).__name__
            raise AlertError(
                f"the webhook at {parts.hostname} did not take the message: {reason}; it is sent "
                "again at the next look"
            ) from None  # the cause quotes the URL

    def _mail(self, text: str) -> None:
        parts = urlsplit(self.smtp)
        recipients = [address.strip() for address in self.email_to.split(",") if address.strip()]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not recipients:
            raise AlertError(
                f"no e-mail can be sent: set MLOPS_ALERT_SMTP to smtp://HOST or smtps://HOST (its "
                f"scheme is {parts.scheme!r}) and MLOPS_ALERT_EMAIL to whom it goes ({recipients})"
            )
        message = EmailMessage()
        message["Subject"] = text.partition("\n")[0][:150]
        message["From"] = self.email_from or recipients[0]
        message["To"] = ", ".join(recipients)
        message.set_content(text)
        try:
            with _connect(parts.scheme, parts.hostname, parts.port) as server:
                if parts.username:
                    server.login(unquote(parts.username), unquote(parts.password or ""))
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as err:
            raise AlertError(
                f"the mail server {parts.hostname} did not take the message: "
                f"{type(err).__name__}; it is sent again at the next look"
            ) from None  # the cause may quote the password


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    """Connect, encrypted wherever the server offers it."""
    context = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(host, port or 587, timeout=_TIMEOUT_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
    return server
