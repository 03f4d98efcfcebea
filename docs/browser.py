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


def overflow(opened: webdriver.Chrome) -> list[str]:
    """The elements of the page that a person sees only a part of, each in a line; none is sound.

    What counts: an element that holds more than it shows (its `scrollWidth` exceeds its
    `clientWidth`, and what is beyond is cut off or behind a scroll bar); one that ends right of the
    window; and a cell of a table that is taller than 400 pixels by its own text. Of elements in
    each other the outermost is told, with the texts in it that stick out. What does not count: a
    text that ends in an ellipsis by the page's own style, as a name in a menu, and a field that a
    person writes into.
    """
    return opened.execute_script(_OVERFLOW)


_OVERFLOW = """
const edge = document.documentElement.clientWidth + 1, found = [];
const words = (one) => one.innerText.slice(0, 80).replace(/\\s+/g, " ");
for (const one of document.querySelectorAll("html, body *")) {
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const unseen = !box.width || !box.height || style.visibility === "hidden";
  if (unseen || style.textOverflow === "ellipsis" || one.innerText === undefined) continue;
  if (one.closest("textarea, .CodeMirror")) continue;
  if (found.some((line) => line.one.contains(one))) continue;
  const cuts = one.tagName === "HTML" || style.overflowX !== "visible";
  const hidden = cuts && one.clientWidth ? one.scrollWidth - one.clientWidth : 0;
  const row = one.tagName === "TD" && one.closest("tr");
  const tall = row && box.height > 400 && [...row.children].every((td) => {
    return !td.querySelector("table");
  });
  if (hidden <= 1 && box.right <= edge && !tall) continue;
  const limit = Math.min(edge, box.left + (one.clientWidth || box.width) + 1);
  const beyond = [...one.querySelectorAll("*")].filter((part) => {
    return !part.childElementCount && part.innerText && part.getBoundingClientRect().right > limit;
  });
  found.push({one, line: `${one.tagName.toLowerCase()}.${[...one.classList].join(".")}, ` +
    `${Math.round(box.width)} x ${Math.round(box.height)} pixels, ends at ` +
    `${Math.round(box.right)}, hides ${hidden}: ${words(one)}; what sticks out: ` +
    `${beyond.slice(0, 5).map(words).join(" | ")}`});
}
return found.map(({line}) => line);
"""
