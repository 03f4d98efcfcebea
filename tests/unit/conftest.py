"""A small fitted model, and one worker that serves it without a server."""

from pathlib import Path

import pytest

from tests.support.served.served_models import Built, build
from tests.support.served.serving_worker import Worker


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return build(tmp_path)


@pytest.fixture
def worker(built: Built, tmp_path: Path) -> Worker:
    worker = Worker(tmp_path / "endpoint")
    worker.serve(built)
    return worker
