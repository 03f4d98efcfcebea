"""The BentoML service of one endpoint.

    bentoml serve mlops_assets.serving.process.service:EndpointService

The environment says what to serve: MLOPS_ENDPOINT, the endpoint's folder. The product runs it under
`supervisor` and `workers`, where `app.EndpointApp` answers everything; by itself, as in a Bento,
some paths are BentoML's own, `/livez` and `/readyz` among them.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml

from mlops_assets.serving.api.rates import Buckets
from mlops_assets.serving.environment import ENDPOINT, MANIFEST, WORKERS
from mlops_assets.serving.wire.http import Receive, Scope, Send

if TYPE_CHECKING:
    from mlops_assets.serving.api.guard import Guard


class Entrance:
    """The ASGI application that BentoML mounts when it loads the class; the worker fills it."""

    app: "Guard | None" = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.app is not None:
            await self.app(scope, receive, send)


entrance = Entrance()
_buckets = Buckets()  # made here, so that all workers that the template forks have the same


@bentoml.service(
    workers=int(os.environ.get(WORKERS, "1")),
    traffic={"timeout": 150},  # beyond what `serving.api.guard` allows
    # Together these three cost several times a prediction.
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": [".*"]},
    metrics={"enabled": False},
)
@bentoml.asgi_app(entrance, path="/")
class EndpointService:
    """One model behind HTTP."""

    def __init__(self) -> None:
        """Load the model before the first request is accepted.

        A restarted worker thus leaves the requests to its siblings until it can answer.
        """
        from mlops_assets.serving.api.app import EndpointApp
        from mlops_assets.serving.api.guard import Guard, allow_many_connections
        from mlops_assets.serving.version.holder import ModelHolder

        allow_many_connections()
        endpoint = Path(os.environ[ENDPOINT])
        self._holder = ModelHolder(endpoint)
        self._holder.start()
        if MANIFEST in os.environ:
            self._holder.require_active()
        _buckets.share(endpoint)
        app = EndpointApp(self._holder)
        entrance.app = Guard(app, self._holder.limits, app.count, _buckets)

    def __is_ready__(self) -> bool:
        """Whether `/readyz` answers 200."""
        return self._holder.active is not None
