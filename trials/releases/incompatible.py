"""Workflows that cannot go on with the trips of the project's own: a copy with a change from the docs."""

import re
import shutil
from pathlib import Path

from stack.system import ROOT

PAGE = ROOT / "docs" / "change-the-workflow.md"
_BLOCK = re.compile(r"^```(diff|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path = PAGE) -> list[tuple[str, str]]:
    """The diffs and commands of a page of the docs, each after its kind: `diff` or `console`."""
    return _BLOCK.findall(page.read_text())


def apply(place: Path, diff: str) -> None:
    """Change the one file that the diff names."""
    head, *lines = diff.splitlines(keepends=True)
    path = place / head.removeprefix("@@ ").strip()
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has not once:\n{old}"
    path.write_text(text.replace(old, new))


def incompatible(place: Path) -> Path:
    """Copy the workflows to the place with the page's first change, which fails in older trips' replay."""
    shutil.copytree(ROOT / "workflows", place / "workflows")
    apply(place, next(text for kind, text in blocks() if kind == "diff"))
    return place
