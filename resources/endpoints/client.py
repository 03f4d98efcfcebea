"""Calls to a live endpoint over HTTP, and the check of its recorded requests.

The server's side of it is `mlops_assets.serving.wire` and `mlops_assets.serving.api`.
"""

from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.rollout import Observed
from mlops_assets.records.serving import RecordedRequest, Servable

FeatureRow = Mapping[str, float | str | None]


class EndpointClient:
    """One endpoint's API; that it does not answer or refuses is a `DeploymentError`."""

    def __init__(self, url: str, timeout_seconds: float = 30.0, *, key: str | None = None) -> None:
        """Send `key` with every request."""
        self.url = url
        self._key = key
        self._timeout = timeout_seconds

    def model(self) -> dict[str, Any]:
        """What is served now."""
        return self._call("GET", "/model", ("model_name", "model_version", "generation", "entity"))

    def predict(
        self, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """Predict for entities; a check that is no traffic need not be `logged`.

        In the order asked for, predictions, or an `error` for an entity without fresh features; a
        request is refused if no entity has some.
        """
        content = {"entities": list(entities)}
        return self._call("POST", "/predict", ("predictions",), content, logged)["predictions"]

    def predict_features(
        self, rows: Sequence[FeatureRow], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """Predict for rows of features; NaN is sent as null; `logged` as in `predict`."""
        content = {"rows": list(rows)}
        path, keys = "/predict_features", ("predictions",)
        return self._call("POST", path, keys, content, logged)["predictions"]

    def counted(self, step: int) -> Observed:
        """Of a pod: what its version did in that step of a trial, which begins if it is new."""
        answer = self._call("POST", "/trial", tuple(Observed.model_fields), {"step": step})
        return Observed.model_validate(answer)

    def check(
        self, servable: Servable, recorded: Sequence[RecordedRequest], settings: DeploymentSettings
    ) -> None:
        """Ask the recorded requests, past the log, and compare with the recorded scores.

        An answer that differs by more than its runtime may is a `DeploymentError` too.
        """
        import numpy as np

        from mlops_assets.serving.version.model import require_equal_scores

        for chunk in _chunks(recorded, settings.max_rows, settings.max_body_bytes):
            rows = [request.features for request in chunk]
            answers = self.predict_features(rows, logged=False)
            actual = np.array([_scores(servable, answer) for answer in answers])
            expected = np.array([request.scores for request in chunk])
            require_equal_scores(actual, expected, servable)

    def _call(
        self,
        method: str,
        path: str,
        keys: tuple[str, ...],
        content: Any = None,
        logged: bool = True,
    ) -> dict[str, Any]:
        """The answer, which has these keys."""
        import msgspec

        body = None if content is None else msgspec.json.encode(content)
        status, answer = request(
            self.url, method, path, body, self._timeout, key=self._key, logged=logged
        )
        try:
            said: Any = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = None
        if status == 200 and isinstance(said, dict) and set(keys) <= set(said):
            return said
        if reason := _reason(said):
            raise DeploymentError(f"{self.url}{path} answered {status}: {reason}")
        text = answer[:200].decode(errors="replace")
        raise DeploymentError(
            f"{self.url}{path} answered {status} with what no endpoint of ours says, {text!r}; see "
            "which program listens there, or change deployment.port"
        )


def request(
    url: str,
    method: str,
    path: str,
    body: bytes | None,
    timeout_seconds: float = 30.0,
    *,
    key: str | None = None,
    logged: bool = True,
) -> tuple[int, bytes]:
    """Send one request, past every proxy of the environment; returns the status and the body.

    Only the deployer's own key lets it ask without being `logged`. It is a `DeploymentError` that
    nobody answers.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=timeout_seconds)
    try:
        headers = {"content-type": "application/json"} | ({"x-api-key": key} if key else {})
        headers |= {} if logged else {"x-mlops-log": "no"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException) as err:
        raise DeploymentError(
            f"{url}{path} does not answer: {type(err).__name__}: {err}. Deploy again."
        ) from err
    finally:
        connection.close()


def _reason(said: Any) -> str | None:
    """The sentences of a refusal: of the request, and of its fields."""
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict) or "message" not in error:
        return None
    message, details = str(error["message"]), error.get("details") or ()
    places = [f"{one['field']}: {one.get('message')}" for one in details if "field" in one]
    return "; ".join([message, *(place for place in places if place not in message)])


def _scores(servable: Servable, answer: Mapping[str, Any]) -> list[float]:
    if servable.task == "multiclass":
        return [answer["probabilities"][label] for label in servable.classes]
    return [answer["prediction"]]


def _chunks(
    recorded: Sequence[RecordedRequest], max_rows: int, max_body_bytes: int
) -> Iterator[Sequence[RecordedRequest]]:
    """Yield parts that the endpoint's limits let through."""
    import msgspec

    if not recorded:
        return
    longest = max(len(msgspec.json.encode(request.features)) for request in recorded) + 1
    size = min(max_rows, (max_body_bytes - 100) // longest)
    if size < 1:
        raise DeploymentError(
            f"one recorded request has {longest} bytes, but deployment.max_body_bytes is "
            f"{max_body_bytes}; raise it in the YAML"
        )
    for start in range(0, len(recorded), size):
        yield recorded[start : start + size]
