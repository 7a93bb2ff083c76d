"""`python -m tests.record.statements`: keep the record's statements as they are in this release.

The tests ask the next schema whether it still knows them: a release that runs while the next one is migrated
goes on with its own.
"""

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "released.json"
ROOMS = ("record/*.py", "guard/store.py", "api/tokens/store.py")
LEFT_OUT = ("__init__", "__main__", "schema")


def kept() -> dict[str, str]:
    """The statements of the last release, by the place where each stood."""
    found: dict[str, str] = json.loads(KEPT.read_text())
    return found


def of_today() -> dict[str, str]:
    """The statements of the code as it is."""
    found: dict[str, str] = {}
    for path in sorted(path for pattern in ROOMS for path in ROOT.glob(pattern)):
        if path.stem in LEFT_OUT:
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(name)
        texts = dict.fromkeys([*_of_module(module), *_of_functions(path, module)])
        parts = [part for text in texts for part in text.split(";")]
        found |= {f"{name} {number}": part for number, part in enumerate(filter(_is_statement, parts))}
    return {place: " ".join(statement.split()) for place, statement in found.items()}


def _of_module(module: ModuleType) -> Iterator[str]:
    for value in vars(module).values():
        texts = value.values() if isinstance(value, dict) else [value]
        yield from (one for one in texts if isinstance(one, str))


def _of_functions(path: Path, module: ModuleType) -> Iterator[str]:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            texts = [node for node in ast.walk(function) if isinstance(node, ast.Constant | ast.JoinedStr)]
            parts = {id(part) for one in texts if isinstance(one, ast.JoinedStr) for part in one.values}
            made = [_made(one, module) for one in texts if id(one) not in parts]
            yield from (one for one in made if isinstance(one, str))


def _made(node: ast.expr, module: ModuleType) -> object:
    try:
        return eval(compile(ast.Expression(node), "statement", "eval"), dict(vars(module)))
    except NameError:
        return None  # made of a function's arguments; the module has what it makes


def _is_statement(text: str) -> bool:
    words = text.split()
    begins = len(words) > 3 and words[0] in ("select", "insert", "update", "delete", "with")
    return begins and words[-1] != "from" and not {"from", "into", "set"}.isdisjoint(words)


if __name__ == "__main__":
    KEPT.write_text(json.dumps(of_today(), indent=1) + "\n")
