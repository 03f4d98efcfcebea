"""Take the pictures of `docs/images/` from the real user interface.

    .venv/bin/mlops run customers
    eval "$(.venv/bin/mlops env)"
    .venv/bin/dagster job execute -m mlops_assets.definitions -j customers_monitoring
    .venv/bin/python docs/screenshots.py

State is found by `MLOPS_HOME`, as by every other command; no model or endpoint is touched.
"""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.home import FRAMEWORK_ROOT, home
from mlops_assets.keys import asset_key

T = TypeVar("T")
IMAGES = FRAMEWORK_ROOT / "docs" / "images"
MAX_BYTES = 300_000
MODEL = "customers"
STAGES = (
    *("raw_data", "processed_data", "features"),
    *("trained_model", "evaluation_report", "reference_profile", "deployed_endpoint"),
    "batch_predictions",
    *("prediction_log", "labels", "drift_report", "performance_report", "skew_report"),
)
# What the UI itself remembers of a user: the menu folded away.
PREFERENCES = "localStorage.setItem('dagster-nav-collapsed', 'true')"


def main() -> None:
    """Take every picture; fails if the model is not materialized or a file is too large."""
    use_dagster_home(home())
    require_materialized()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with dagster_ui() as url:
        # Small pixels, since a node shows its checks only at full zoom.
        graph = f"{url}/locations/mlops_assets/asset-groups/{MODEL}"
        with page(graph, 3600, 2000, 0.65) as browser:
            wait_for(lambda: "Passed" in browser.page_source)
            save(browser, "asset-graph.png")
        with page(f"{url}/assets/{MODEL}/evaluation_report", 1500, 1000, 1) as browser:
            # The last: the model card stands before the plots.
            wait_for(lambda: browser.find_elements(By.LINK_TEXT, "[Show Markdown]"))[-1].click()
            wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "[role=dialog] img"))
            save(browser, "evaluation.png")


def require_materialized() -> None:
    """Empty boxes are no picture of the project."""
    with dg.DagsterInstance.get() as instance:
        keys = [asset_key(MODEL, stage) for stage in STAGES]
        missing = [k for k in keys if instance.get_latest_materialization_event(k) is None]
    if missing:
        names = ", ".join(key.to_user_string() for key in missing)
        sys.exit(f"never materialized: {names}; first do what the docstring of this script says")


@contextmanager
def dagster_ui() -> Generator[str]:
    """The web server alone: a daemon would launch what is due meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(str(Path(sys.executable).with_name("dagster-webserver")), "--host", "127.0.0.1"),
        *("--port", str(port), "--workspace", str(FRAMEWORK_ROOT / "workspace.yaml")),
    ]
    process = subprocess.Popen(command, cwd=FRAMEWORK_ROOT)  # noqa: S603
    try:
        wait_for(lambda: answers(port), seconds=90)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def page(url: str, width: int, height: int, scale: float) -> Generator[webdriver.Chrome]:
    """A page of the UI in a browser of its own, without the first visit's dialog."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        sys.exit("chromium and chromedriver are needed; on Debian: chromium, chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    with tempfile.TemporaryDirectory() as profile:
        for argument in (
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--window-size={width},{height}", f"--force-device-scale-factor={scale}"),
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        service = Service(executable_path=str(programs[1]))
        with webdriver.Chrome(options=options, service=service) as browser:
            browser.get(url)
            browser.execute_script(PREFERENCES)
            browser.refresh()
            time.sleep(3)  # for a dialog that comes after the page, and for pictures to be drawn
            for button in browser.find_elements(By.XPATH, "//button[normalize-space()='Skip']"):
                button.click()
            yield browser


def wait_for(found: Callable[[], T], seconds: float = 30) -> T:
    """Poll until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.3)
    sys.exit(f"the user interface did not show what was expected within {seconds:.0f} s")


def save(browser: webdriver.Chrome, name: str) -> None:
    """Write the picture once the page has come to rest."""
    time.sleep(2)
    file = IMAGES / name
    browser.save_screenshot(str(file))
    print(f"{file.relative_to(FRAMEWORK_ROOT)}: {file.stat().st_size / 1000:.0f} kB")  # noqa: T201
    if file.stat().st_size > MAX_BYTES:
        sys.exit(f"{name} is larger than {MAX_BYTES / 1000:.0f} kB")


if __name__ == "__main__":
    main()
