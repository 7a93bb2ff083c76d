"""How many lines of code each kind has: those of the modules that its processes load."""

import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Iterable
from pathlib import Path

from stack.system import ROOT
from trials.bench.contest.contestants import CHOREOGRAPHED, ORCHESTRATED

ROOTS = {
    ORCHESTRATED: ("worker", "api.temporal"),
    CHOREOGRAPHED: ("choreography.trips", "choreography.partner", "api.choreography"),
}
"""The modules with which each kind begins: its processes, and what the front door has for it alone."""

OF_NEITHER = ("partners.process", "partners.app", "partners.service", "partners.lab", "audit.run")
"""What every partner's process has, whether it listens to messages or not, and the audit."""

BESIDES = (
    "api/messages.py",
    "partners/hotel/participation.py",
    "partners/postgres/participation.sql",
    "partners/flight/scripts/arrive.lua",
    "partners/flight/scripts/refuse.lua",
    "partners/flight/scripts/told.lua",
)
"""Files of the front door and of the partners' stores that only a choreographed saga needs."""

_SHOW = """
import json, sys
import {modules}
print(json.dumps([one.__file__ for one in list(sys.modules.values()) if getattr(one, "__file__", None)]))
"""
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def counted() -> dict[str, int]:
    """Lines with code: of each kind alone, and of both. The choreographed one has `besides`, too."""
    one, other = (_loaded(ROOTS[kind]) for kind in (ORCHESTRATED, CHOREOGRAPHED))
    of_neither = _loaded(OF_NEITHER)
    return {
        ORCHESTRATED: _lines(one - other - of_neither),
        CHOREOGRAPHED: _lines(other - one - of_neither),
        "both": _lines(one & other - of_neither),
        "besides": _lines(ROOT / path for path in BESIDES),
    }


def _loaded(modules: Iterable[str]) -> set[Path]:
    """The project's files that a process loads with these modules."""
    command = [sys.executable, "-c", _SHOW.format(modules=", ".join(modules))]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60).stdout  # noqa: S603
    files = {Path(file) for file in json.loads(shown)}
    return {file for file in files if file.is_relative_to(ROOT) and ".venv" not in file.parts}


def _lines(files: Iterable[Path]) -> int:
    return sum(_code_lines(file.read_text()) if file.suffix == ".py" else _text_lines(file) for file in files)


def _code_lines(source: str) -> int:
    """Lines with anything but comments and texts that stand alone, which docstrings are."""
    lines: set[int] = set()
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _NO_CODE:
            fresh = fresh or token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
            continue
        if not (fresh and token.type == tokenize.STRING):
            lines.update(range(token.start[0], token.end[0] + 1))
        fresh = False
    return len(lines)


def _text_lines(path: Path) -> int:
    lines = (line.strip() for line in path.read_text().splitlines())
    return sum(bool(line) and not line.startswith("--") for line in lines)
