"""The browser that the console is looked at with: the one that TRIPS_BROWSER names, or one on the path."""

import os
import shutil
from pathlib import Path

VARIABLE = "TRIPS_BROWSER"
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first has no windows to draw, which saves a third of the CPU."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REMEDY = f"install one (apt-get install chromium-headless-shell), or name its program in {VARIABLE}"


class NoBrowser(Exception):
    """There is no browser to look with."""


def is_left_out() -> bool:
    """Whether there is neither a browser nor the demand for one."""
    return not os.environ.get(VARIABLE) and _on_path() is None


def chromium() -> str:
    """The browser's program. Raises NoBrowser, with what to do about it."""
    named = os.environ.get(VARIABLE)
    if named and not Path(named).is_file():
        raise NoBrowser(f"{VARIABLE} names {named}, which is not there: {REMEDY}")
    found = named or _on_path()
    if found is None:
        raise NoBrowser(f"there is no Chromium: {REMEDY}")
    return found


def _on_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)
