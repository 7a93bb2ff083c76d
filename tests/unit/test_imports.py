"""`worker.py` keeps to the import rules: a module alone is no package, so import-linter cannot look at it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = {path.parent.name for path in ROOT.glob("*/__init__.py")}
BELOW_THE_WORKER = {"workflows", "activities", "config", "guard", "record", "serving", "temporal", "trip"}
MAY_START_A_WORKER = {"tests", "trials"}


def rooms_imported(path: Path) -> set[str]:
    """The top-level names that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name.partition(".")[0] for name in found}


def test_the_worker_imports_only_what_lies_below_it() -> None:
    above = (rooms_imported(ROOT / "worker.py") & ROOMS) - BELOW_THE_WORKER
    assert not above, f"worker.py imports {', '.join(sorted(above))}"


def test_no_room_imports_the_worker() -> None:
    files = [path for room in ROOMS - MAY_START_A_WORKER for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 100
    wrong = [str(path.relative_to(ROOT)) for path in files if "worker" in rooms_imported(path)]
    assert not wrong, f"these import worker.py: {', '.join(wrong)}"
