"""An HTTP probe of one container."""

import time
from http.client import HTTPConnection, HTTPException

from tests.kubernetes_api.objects import Object


class Probe:
    """Passes at once where none is asked for."""

    def __init__(self, settings: Object | None, address: str) -> None:
        self._settings, self._address = settings, address
        self._failures, self._asked = 0, float("-inf")
        self.passes = settings is None

    @property
    def failed(self) -> bool:
        """Whether it failed so often in a row that something must happen."""
        return bool(self._settings) and self._failures >= self._settings.get("failureThreshold", 3)

    def ask(self) -> None:
        """Ask again, if that is due."""
        now = time.monotonic()
        if self._settings is None or now - self._asked < self._settings.get("periodSeconds", 10):
            return
        self._asked = now
        if self._is_good(self._settings):
            self._failures, self.passes = 0, True
            return
        self._failures += 1
        if self.failed:
            self.passes = False

    def _is_good(self, settings: Object) -> bool:
        where = settings["httpGet"]
        seconds = settings.get("timeoutSeconds", 1)
        connection = HTTPConnection(self._address, where["port"], timeout=seconds)
        try:
            connection.request("GET", where["path"])
            return 200 <= connection.getresponse().status < 400
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
