"""Prometheus over the endpoints of this machine, with the rules that are shipped.

Its configuration is in `deploy/prometheus/`; only ports, targets and places are put in here. For a
server of a team's own, copy that folder; `mlops observe` is for one's own machine.
"""

import json
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import yaml

from mlops_assets.errors import ConfigError
from mlops_assets.home import FRAMEWORK_ROOT, HOST, PROMETHEUS_PORT
from mlops_assets.interfaces.children import Child, GivenUpError, end
from mlops_assets.interfaces.ports import free_port
from mlops_assets.runtime import terminal
from mlops_assets.runtime.atomic import write_atomically
from resources.deployment import EndpointTargets

_PACKAGED = FRAMEWORK_ROOT / "mlops_assets" / "prometheus"  # where a wheel puts it
_SHIPPED = _PACKAGED if _PACKAGED.exists() else FRAMEWORK_ROOT / "deploy" / "prometheus"
_REFRESH_SECONDS = 5.0
_ALERTMANAGER = "MLOPS_ALERTMANAGER"


def run_prometheus(endpoints: EndpointTargets, folder: Path) -> int:
    """Scrape every endpoint of this machine until a signal.

    Args:
        endpoints: Whose addresses are looked up again every few seconds.
        folder: Holds its configuration and what it has measured.

    Returns:
        0 after a signal, 1 when Prometheus does not stay alive.

    Raises:
        ConfigError: There is no Prometheus, or a variable cannot be meant.
        PortInUseError: Somebody else listens on the port.
        StateError: The folder cannot be written.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise ConfigError(
            "there is no `prometheus` on the PATH; install it (Debian: apt install prometheus), "
            f"or have one of yours read {_SHIPPED / 'prometheus.yml'}"
        )
    port = free_port(*PROMETHEUS_PORT)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    targets = folder / "targets.json"
    write_targets(endpoints, targets)
    config = folder / "prometheus.yml"
    text = yaml.safe_dump(configuration(targets, os.environ.get(_ALERTMANAGER, "")))
    write_atomically(config, lambda file: file.write_text(text, encoding="utf-8"))
    command = [
        *(program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address={HOST}:{port}", "--log.level=warn"),
    ]
    child = Child("Prometheus", command, {}, folder / "prometheus.log")
    terminal.line(f"Prometheus http://{HOST}:{port}/alerts  (Ctrl-C ends it)")
    try:
        return _keep(child, endpoints, targets, stop)
    finally:
        end([child.process])


def _keep(child: Child, endpoints: EndpointTargets, targets: Path, stop: threading.Event) -> int:
    while not stop.wait(_REFRESH_SECONDS):
        try:
            said = child.keep()
        except GivenUpError as err:
            terminal.line(f"{err}; see {child.log}", error=True)
            return 1
        if said:
            terminal.line(said, error=True)
        write_targets(endpoints, targets)
    return 0


def configuration(targets: Path, alertmanager: str) -> dict[str, Any]:
    """What is shipped, with the rules where they stand, and targets that are read from a file.

    Args:
        targets: Of Prometheus's `file_sd_configs`.
        alertmanager: `HOST:PORT` of one; empty without.
    """
    shipped = yaml.safe_load((_SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = shipped["scrape_configs"]
    del job["static_configs"], shipped["alerting"]
    job["file_sd_configs"] = [{"files": [str(targets)], "refresh_interval": "5s"}]
    alerting = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return {
        **shipped,
        "rule_files": [str(_SHIPPED / name) for name in shipped["rule_files"]],
        **({"alerting": alerting} if alertmanager else {}),
    }


def write_targets(endpoints: EndpointTargets, file: Path) -> None:
    """Name every endpoint that should be up on this machine; the file stays if they are the same.

    One that is down stays named, so that its alert fires; one that was stopped does not.
    """
    groups = [
        {"targets": [address], "labels": {"model_name": name}}
        for name, address in endpoints.addresses().items()
    ]
    text = json.dumps(groups, indent=1)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        write_atomically(file, lambda path: path.write_text(text, encoding="utf-8"))
