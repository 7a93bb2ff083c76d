"""The histories that are kept: the newest, and those of each release, which nobody records anew."""

import hashlib
from pathlib import Path

HISTORIES = Path(__file__).parent / "histories"
NEWEST = HISTORIES / "newest"
SUMS = "SHA256SUMS"


def releases() -> list[Path]:
    """The folders of the releases."""
    return sorted(place for place in HISTORIES.iterdir() if place.is_dir() and place != NEWEST)


def sums(folder: Path) -> str:
    """What `sha256sum *.json` says in the folder."""
    files = sorted(folder.glob("*.json"))
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
