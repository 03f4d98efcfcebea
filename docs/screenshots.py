"""Take pictures of the real pages: those of the docs, or all of them, to look at.

    .venv/bin/python docs/screenshots.py             # writes docs/images/
    .venv/bin/python docs/screenshots.py looked-at/  # every page, into that folder
    .venv/bin/python docs/screenshots.py looked-at/ flights  # those of another model

The latter fails if a person sees only a part of something on a page, and says of what. The model is
brought to life first, in a folder and on a port of its own, both gone afterwards.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from browser import browser, overflow, save, sized, wait_for
from selenium import webdriver
from selenium.webdriver.common.by import By

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.home import FRAMEWORK_ROOT, HOST, home

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
_LOADING = "[class*=Skeleton]"
"""What Dagster's UI shows in place of what it waits for."""


def main(arguments: Sequence[str]) -> None:
    """Take every picture; fails if the model does not get live or a file is too large."""
    folder, model = [*arguments, *("", MODEL)[len(arguments) :]]
    with live_model(model), dagster_ui() as dagster, mlflow_ui() as mlflow:
        if folder:
            look(Path(folder), model, dagster, mlflow)
        else:
            take(dagster, mlflow)


def take(dagster: str, mlflow: str) -> None:
    """The pictures of the docs."""
    with browser() as opened:
        settle(opened, dagster, menu=False)
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
        opened.get(f"{mlflow}/#/models/{MODEL}/versions/1?workflowType=machine_learning")
        wait_for(lambda: "mlops/gate" in opened.page_source, "the verdict")
        assistant = "[data-component-id='mlflow.assistant.chat_panel.close']"
        wait_for(lambda: opened.find_elements(By.CSS_SELECTOR, assistant), "its chat")[0].click()
        save(opened, IMAGES / "mlflow-version.png", MAX_BYTES)
        sized(opened, 620, 610)
        opened.get(status_page(MODEL))
        save(opened, IMAGES / "status-page.png", MAX_BYTES)


def look(folder: Path, model: str, dagster: str, mlflow: str) -> None:
    """Every page of a model, to be looked at; fails if something of one is seen only in part."""
    faults: list[str] = []
    with browser() as opened:
        settle(opened, dagster, menu=True)
        pages = {f"asset-{stage}": f"{dagster}/assets/{model}/{stage}" for stage in STAGES}
        pages |= {
            "jobs": f"{dagster}/locations/mlops_assets/jobs",
            "automation": f"{dagster}/automation",
        }
        theirs = {
            "mlflow-runs": f"{mlflow}/#/experiments/1?workflowType=machine_learning",
            "mlflow-version": f"{mlflow}/#/models/{model}/versions/1?workflowType=machine_learning",
        }
        for name, url in (pages | theirs).items():
            sized(opened, 1500, 2400)
            opened.get(url)
            time.sleep(6)
            wait_for(lambda: not opened.find_elements(By.CSS_SELECTOR, _LOADING), f"all of {name}")
            save(opened, folder / f"{name}.png", 2_000_000)
            if name in pages:  # how wide MLflow's tables are is MLflow's
                faults += [f"{name}: {each}" for each in overflow(opened)]
    for width, dark in STATUS:
        with browser(dark=dark) as opened:
            sized(opened, width, 1400)
            opened.get(status_page(model))
            name = f"status-{width}-{'dark' if dark else 'light'}"
            save(opened, folder / f"{name}.png", 2_000_000)
            faults += [f"{name}: {each}" for each in overflow(opened)]
    if faults:
        sys.exit("\n".join(faults))


def settle(opened: webdriver.Chrome, dagster: str, *, menu: bool) -> None:
    """Skip the dialog of a first visit; the menu stays open, as a newcomer has it, or is folded."""
    sized(opened, 1500, 1000)
    opened.get(dagster)
    folded = "false" if menu else "true"
    opened.execute_script(f"localStorage.setItem('dagster-nav-collapsed', '{folded}')")
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


def status_page(model: str) -> str:
    """The page of one model, made now."""
    file = home() / "status.html"
    run("mlops", "status", model, "--html", str(file))
    return file.as_uri()


@contextmanager
def live_model(model: str) -> Generator[None]:
    """While a model serves, and every one of its assets was materialized."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"MLOPS_HOME": folder, f"MLOPS_PORT_{model.upper()}": str(free_port())}
        os.environ.pop("DAGSTER_HOME", None)
        use_dagster_home(home())
        try:
            for verb in ("run", "score"):
                run("mlops", verb, model)
            jobs = ("dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j")
            run(*jobs, f"{model}_scoring")
            run("mlops", "monitor", model)  # what was scored, so after it
            yield
        finally:
            run("mlops", "stop", model)


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
    port = free_port()
    command = of_this_environment(program, *arguments, "--host", HOST, "--port", str(port))
    process = subprocess.Popen(command, cwd=FRAMEWORK_ROOT)  # noqa: S603
    try:
        wait_for(lambda: answers(port), program, seconds=180)
        yield f"http://{HOST}:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def run(program: str, *arguments: str) -> None:
    """A command of this environment, in the project; raises if it fails."""
    command = of_this_environment(program, *arguments)
    subprocess.run(command, cwd=FRAMEWORK_ROOT, check=True)  # noqa: S603


def of_this_environment(program: str, *arguments: str) -> list[str]:
    """The same program of the same environment as this script."""
    return [str(Path(sys.executable).with_name(program)), *arguments]


if __name__ == "__main__":
    main(sys.argv[1:])
