"""Write docs/reference/targets.md from what the settings refuse of each target; held by a test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from docs.assets_reference import table
from mlops_assets.blocks.operation import DeploymentSettings

TARGET = Path(__file__).with_name("reference") / "targets.md"
TARGETS: tuple[str, ...] = get_args(DeploymentSettings.model_fields["target"].annotation)
_CLUSTER = {"image": "mlops:1", "claim": "state"}
_GATEWAY = {"cluster": _CLUSTER | {"gateway": {"name": "public"}}}
_RATE = {"rate_limit": {"per_second": 5, "burst": 9}}
_ONE_POD = {"cluster": _CLUSTER | {"replicas": {"min": 1}}}
CAPABILITIES: dict[str, dict[str, Any]] = {
    "canary, by a gateway's weights": {"rollout": {"strategy": "canary"}} | _GATEWAY,
    "canary, without a gateway": {"rollout": {"strategy": "canary"}},
    "shadow, by a gateway's copies": {"rollout": {"strategy": "shadow"}} | _GATEWAY,
    "shadow, without a gateway": {"rollout": {"strategy": "shadow"}},
    "`rate_limit`, one pod": _RATE | _ONE_POD,
    "`rate_limit`, several pods": _RATE,
    "more pods by CPU": {"cluster": _CLUSTER | {"replicas": {"min": 1, "max": 3}}},
    "more pods by requests in flight": {
        "cluster": _CLUSTER | {"replicas": {"min": 1, "max": 3, "in_flight": 0.7}}
    },
    "several `workers` of one process": {"workers": 2},
    "API keys, hosts, origins, limits of a request": {"api_keys": {"env": "KEYS"}},
}
_HEADER = """\
# What each target can do

`deployment.target` of a model's YAML. What is not there is refused when the YAML is loaded, with
the sentence that stands here. `local` does not look at the block `cluster`, and needs no gateway.

Written by `docs/targets_reference.py`, which tries each.
"""
_DIFFERENT = {
    "a new version": (
        "its workers load it beside the old one and swap it in, with no process ended",
        "new pods beside the old ones, which end after their last answer",
    ),
    "a candidate on trial": ("in the same workers", "in pods of its own"),
    "which requests a canary answers": (
        "an entity stays with the version that answered it once",
        "each is drawn, since no gateway looks into a request's body: [what to do]"
        "(../how-to/canary.md#one-entity-two-versions)",
    ),
    "a canary's share": (
        "as `weights` say",
        "by a gateway, as `weights` say; without one, by whole pods: beside two pods a third",
    ),
    "how many copies a shadow computes": ("as many as it can keep up with", "all"),
    "after a reboot": ("`mlops up` brings it back", "the cluster does"),
    "more pods under load (`cluster.replicas`)": ("no", "yes"),
}


def refusal(target: str, settings: Mapping[str, Any]) -> str:
    """Why the settings are refused for the target; empty if they are not."""
    where = {"target": target, "port": 8101, "cluster": _CLUSTER}
    try:
        DeploymentSettings.model_validate(where | settings)
    except ValidationError as err:
        return "; ".join(one["msg"].removeprefix("Value error, ") for one in err.errors())
    return ""


def page() -> str:
    """The whole page as Markdown."""
    rows = [
        (name, *(_cell(refusal(target, settings)) for target in TARGETS))
        for name, settings in CAPABILITIES.items()
    ]
    different = [(name, *cells) for name, cells in _DIFFERENT.items()]
    head = ("", "local", "kubernetes, kserve")
    lines = ["## What is done otherwise", "", *table(head, different), ""]
    return "\n".join([_HEADER, *table(("", *TARGETS), rows), "", *lines])


def _cell(said: str) -> str:
    return f"no: {said}" if said else "yes"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
