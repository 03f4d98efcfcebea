"""An S3 server on a free port of 127.0.0.1: moto's, whose buckets outlive an end of the server."""

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.home import BUCKET
from tests.support.servers import free_port, listens, wait_for

ACCESS_KEY = "key-of-s3"
SECRET = "s3cret-of-s3"  # of a test


def _one_change_at_a_time(app: Any) -> Callable[[Any, Any], Iterable[bytes]]:
    changing = threading.Lock()

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start)
        with changing:
            return list(app(environ, start))

    return answer


@dataclass
class S3Server:
    """Keeps its buckets in this process, and its door open or shut."""

    port: int = field(default_factory=free_port)

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()
        # S3 compares a tag and writes in one; moto does it in two, and machines that add to one
        # object at once got between them.
        served = self._server._server
        served.app = _one_change_at_a_time(served.app)
        wait_for("the S3 server", lambda: listens(self.port), 30)

    def end(self) -> None:
        self._server.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The AWS SDK's own variables, by which a client finds the server and says who it is."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def new_bucket(self) -> str:
        """Make one; its address, with a prefix."""
        name = f"shop-{uuid.uuid4().hex[:8]}"
        self._client().create_bucket(Bucket=name)
        return f"s3://{name}/mlops"

    def told(self, address: str) -> dict[str, str]:
        """What a process of the project is told."""
        return {BUCKET: address, **self.environment}

    def contents(self, address: str) -> dict[str, bytes]:
        """Key below the address -> what is there."""
        client, (name, _, prefix) = self._client(), address.removeprefix("s3://").partition("/")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=f"{prefix}/")
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return {
            key.removeprefix(f"{prefix}/"): client.get_object(Bucket=name, Key=key)["Body"].read()
            for key in keys
        }

    def _client(self):
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
