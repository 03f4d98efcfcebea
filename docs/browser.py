"""A headless Chromium for the scripts that take pictures, and PNG files of few bytes."""

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

T = TypeVar("T")
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--allow-file-access-from-files"),
)


@contextmanager
def browser(*, dark: bool = False) -> Generator[webdriver.Chrome]:
    """A browser with a profile of its own, which is gone afterwards."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        sys.exit("chromium and chromedriver are needed; on Debian: chromium, chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    with tempfile.TemporaryDirectory() as profile:
        for argument in (*_QUIET, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        service = Service(executable_path=str(programs[1]))
        with webdriver.Chrome(options=options, service=service) as opened:
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            yield opened


def sized(opened: webdriver.Chrome, width: int, height: int, scale: float = 1.0) -> None:
    """The page as a window of so many pixels shows it, each drawn `scale` times as large."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def wait_for(found: Callable[[], T], what: str, seconds: float = 60) -> T:
    """Poll until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.3)
    sys.exit(f"the page did not show {what} within {seconds:.0f} s")


def save(opened: webdriver.Chrome, file: Path, most_bytes: int) -> None:
    """Write the picture once the page has come to rest, in 128 colours."""
    time.sleep(1.5)
    drawn = Image.open(io.BytesIO(opened.get_screenshot_as_png())).convert("RGB")
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn.quantize(128, dither=Image.Dither.NONE).save(file, "png", optimize=True)
    size = file.stat().st_size
    print(f"{file}: {size / 1000:.0f} kB")  # noqa: T201
    if size > most_bytes:
        sys.exit(f"{file.name} is larger than {most_bytes / 1000:.0f} kB")


def overflow(opened: webdriver.Chrome) -> int:
    """By how many pixels the page is wider than its window."""
    return opened.execute_script(
        "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
    )
