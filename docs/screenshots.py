"""Take pictures of the real pages: those of the docs, or all of them, to look at.

    .venv/bin/mlops run customers
    eval "$(.venv/bin/mlops env)"
    .venv/bin/dagster job execute -m mlops_assets.definitions -j customers_monitoring
    .venv/bin/dagster job execute -m mlops_assets.definitions -j customers_scoring
    .venv/bin/python docs/screenshots.py             # writes docs/images/
    .venv/bin/python docs/screenshots.py looked-at/  # every page, into that folder

State is found by `MLOPS_HOME`, as by every other command; no model or endpoint is touched.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from browser import browser, overflow, save, sized, wait_for
from selenium import webdriver
from selenium.webdriver.common.by import By

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.home import FRAMEWORK_ROOT, home
from mlops_assets.keys import asset_key

IMAGES = FRAMEWORK_ROOT / "docs" / "images"
MAX_BYTES = 160_000
MODEL = "customers"
STAGES = (
    *("raw_data", "processed_data", "features"),
    *("trained_model", "evaluation_report", "reference_profile", "deployed_endpoint"),
    "batch_predictions",
    *("prediction_log", "labels", "drift_report", "performance_report", "skew_report"),
)
STATUS = ((1280, False), (1280, True), (390, False), (390, True))
"""Widths of the status page that are looked at, and whether dark."""
# What the UI itself remembers of a user: the menu folded away.
PREFERENCES = "localStorage.setItem('dagster-nav-collapsed', 'true')"


def main(arguments: Sequence[str]) -> None:
    """Take every picture; fails if the model is not materialized or a file is too large."""
    use_dagster_home(home())
    require_materialized()
    with dagster_ui() as dagster, mlflow_ui() as mlflow:
        if arguments:
            look(Path(arguments[0]), dagster, mlflow)
        else:
            take(dagster, mlflow)


def take(dagster: str, mlflow: str) -> None:
    """The pictures of the docs."""
    with browser() as opened:
        settle(opened, dagster)
        # Small pixels, since a node shows its checks only at full zoom.
        sized(opened, 3600, 2000, 0.65)
        opened.get(f"{dagster}/locations/mlops_assets/asset-groups/{MODEL}")
        wait_for(lambda: "Passed" in opened.page_source, "the checks")
        save(opened, IMAGES / "asset-graph.png", MAX_BYTES)
        for stage, name in (("evaluation_report", "evaluation.png"), ("features", "features.png")):
            sized(opened, 1500, 1000)
            open_plots(opened, f"{dagster}/assets/{MODEL}/{stage}")
            save(opened, IMAGES / name, MAX_BYTES)
        sized(opened, 1400, 620)
        opened.get(f"{dagster}/assets/{MODEL}/features")
        wait_for(lambda: "recency_days" in opened.page_source, "the columns")
        columns = wait_for(lambda: opened.find_elements(By.XPATH, "//*[text()='Columns']"), "them")
        opened.execute_script("arguments[0].scrollIntoView()", columns[0])
        save(opened, IMAGES / "columns.png", MAX_BYTES)
        sized(opened, 1300, 760)
        opened.get(f"{mlflow}/#/models/{MODEL}/versions/1")
        wait_for(lambda: "mlops/gate" in opened.page_source, "the verdict")
        save(opened, IMAGES / "mlflow-version.png", MAX_BYTES)
        sized(opened, 1100, 800)
        opened.get(status_page())
        save(opened, IMAGES / "status-page.png", MAX_BYTES)


def look(folder: Path, dagster: str, mlflow: str) -> None:
    """Every page, to be looked at; says which is wider than its window."""
    with browser() as opened:
        settle(opened, dagster)
        pages = {f"asset-{stage}": f"{dagster}/assets/{MODEL}/{stage}" for stage in STAGES}
        pages |= {
            "jobs": f"{dagster}/locations/mlops_assets/jobs",
            "automation": f"{dagster}/automation",
            "mlflow-runs": f"{mlflow}/#/experiments/1",
            "mlflow-version": f"{mlflow}/#/models/{MODEL}/versions/1",
        }
        for name, url in pages.items():
            sized(opened, 1500, 1500)
            opened.get(url)
            time.sleep(6)
            save(opened, folder / f"{name}.png", 2_000_000)
    for width, dark in STATUS:
        with browser(dark=dark) as opened:
            sized(opened, width, 1400)
            opened.get(status_page())
            too_wide = overflow(opened)
            name = f"status-{width}-{'dark' if dark else 'light'}"
            save(opened, folder / f"{name}.png", 2_000_000)
            print(f"{name}: {too_wide} pixels too wide")  # noqa: T201


def settle(opened: webdriver.Chrome, dagster: str) -> None:
    """Fold the menu away, and skip the dialog of a first visit."""
    sized(opened, 1500, 1000)
    opened.get(dagster)
    opened.execute_script(PREFERENCES)
    opened.refresh()
    time.sleep(4)  # for a dialog that comes after the page
    for button in opened.find_elements(By.XPATH, "//button[normalize-space()='Skip']"):
        button.click()


def open_plots(opened: webdriver.Chrome, page: str) -> None:
    """The last Markdown that stands behind a link: a model card stands before the plots."""
    opened.get(page)
    link = "[Show Markdown]"
    wait_for(lambda: opened.find_elements(By.LINK_TEXT, link), f"{link} of {page}")[-1].click()
    wait_for(lambda: opened.find_elements(By.CSS_SELECTOR, "[role=dialog] img"), "the plots")


def status_page() -> str:
    """The page of all models, made now."""
    file = home() / "status.html"
    mlops = Path(sys.executable).with_name("mlops")
    subprocess.run([mlops, "status", MODEL, "--html", file], cwd=FRAMEWORK_ROOT)  # noqa: S603
    return file.as_uri()


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
    workspace = str(FRAMEWORK_ROOT / "workspace.yaml")
    with served("dagster-webserver", "--workspace", workspace) as url:
        yield url


@contextmanager
def mlflow_ui() -> Generator[str]:
    """MLflow's own server over the same store."""
    store = f"sqlite:///{home() / 'mlflow.db'}"
    with served("mlflow", "server", "--backend-store-uri", store, "--workers", "1") as url:
        yield url


@contextmanager
def served(program: str, *arguments: str) -> Generator[str]:
    """Its address, while a server of this environment runs on a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = ("--host", "127.0.0.1", "--port", str(port))
    command = [str(Path(sys.executable).with_name(program)), *arguments, *place]
    process = subprocess.Popen(command, cwd=FRAMEWORK_ROOT)  # noqa: S603
    try:
        wait_for(lambda: answers(port), program, seconds=180)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(sys.argv[1:])
