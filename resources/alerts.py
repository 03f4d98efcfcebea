"""Messages to people: one POST per incident, in the form that Slack and its kin understand."""

import json
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from mlops_assets.errors import AlertError


class WebhookAlerts(dg.ConfigurableResource):
    """Posts `{"text": ...}` to a webhook; without a URL nothing is sent."""

    url: str = Field("", description="A secret in most services: give it by an EnvVar.")
    timeout_seconds: float = Field(10.0, gt=0)

    @property
    def is_configured(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self.url)

    def send(self, text: str) -> None:
        """Send one message.

        Raises:
            AlertError: Nobody took it. The message names the host, never the URL.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https"):
            raise AlertError(
                f"the webhook's scheme is {parts.scheme!r}; set MLOPS_ALERT_WEBHOOK to an "
                "http or https URL"
            )
        request = urllib.request.Request(  # noqa: S310  the scheme was looked at
            self.url,
            data=json.dumps({"text": text}).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=self.timeout_seconds).close()  # noqa: S310
        except (urllib.error.URLError, OSError) as err:
            reason = getattr(err, "reason", None) or type(err).__name__
            raise AlertError(
                f"the webhook at {parts.hostname} did not take the message: {reason}; it is sent "
                "again at the next look"
            ) from None  # the cause quotes the URL
