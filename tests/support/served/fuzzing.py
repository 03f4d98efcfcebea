"""Runs of Schemathesis against a live endpoint, by its command line, over each kind of model."""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.records.serving import Endpoint, OnlineFeatures
from resources.deployment import EndpointTargets
from resources.feature_store import FeastFeatureStore
from tests.support.served.live_endpoints import Subject, publish
from tests.support.served.served_models import AS_OF, VIEW, build, online_frame

KINDS = {
    "binary": 1,
    "multiclass": 2,
    "regression": 3,
}
"""Task -> version; the last one's entities are texts."""

_TEXT = EntitySettings(name="customer_id", dtype="string")

# Left out: that every request within the schema gets a 2xx. It may ask for an entity that is
# unknown or a value that the model refuses, which the document says, as 404, 409 and 422.
_LEFT_OUT = "positive_data_acceptance"


@dataclass(frozen=True)
class Outcome:
    """What a run found."""

    passed: bool
    cases: int
    operations: int
    report: str


class Kinds:
    """One endpoint that serves a model of each kind, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._by_text = _texts(folder / "texts")
        regression = build(folder, version=3, task="regression")
        servable = regression.servable.model_copy(update={"entity": _TEXT})
        versions = {
            1: build(folder, version=1, task="binary", accepts_missing=False),
            2: build(folder, version=2, task="multiclass"),
            3: replace(regression, servable=servable),
        }
        self._local = EndpointTargets(root=str(folder / "endpoints"))
        self._subject = Subject(self._local, versions, publish(folder))

    def serve(self, kind: str) -> Endpoint:
        """Serve a model of that kind, and ask it once for an entity."""
        if kind == "regression":
            self._subject.online = self._by_text
        endpoint = self._subject.deploy(KINDS[kind])
        entity = "1" if kind == "regression" else 2 if kind == "multiclass" else 1
        assert len(self._local.predict("toy", [entity])) == 1
        return endpoint

    def stop(self) -> None:
        """End the endpoint."""
        self._local.stop("toy")


def fuzz(url: str, folder: Path, *, examples: int, seed: int = 1) -> Outcome:
    """Send `examples` and more requests to each operation; files of the run go into `folder`."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--max-examples", str(examples), "--seed", str(seed), "--no-color"),
        *("--checks", "all", "--exclude-checks", _LEFT_OUT, "--generation-database", "none"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Outcome(
        passed=done.returncode == 0,
        cases=_number(r"(\d+) generated", done.stdout),
        operations=_number(r"Tested: (\d+)", done.stdout),
        report=done.stdout + done.stderr,
    )


def _texts(folder: Path) -> OnlineFeatures:
    """The features of entities that are texts."""
    store = FeastFeatureStore(root=str(folder))
    view = VIEW.model_copy(update={"entity": _TEXT, "name": "texts"})
    frame = online_frame()
    store.publish(view, frame.assign(customer_id=frame["customer_id"].map(str).astype(object)))
    return OnlineFeatures(store=store.serving_config(view), view=view, as_of=AS_OF)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
