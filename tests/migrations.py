"""`python -m tests.migrations`: does each new migration leave running processes alone?

It may lock no large table for long, and take away nothing that an older version uses.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

MIGRATIONS = Path(__file__).parents[1] / "record" / "migrations"
LAST_UNCHECKED = "20261129000100"
"""Those up to this one were applied to small databases, and stay as they are."""

_WORDS = re.compile(r"--[^\n]*|\$\$.*?\$\$|'(?:[^']|'')*'", re.DOTALL)
_CREATED = re.compile(r"create table (?:if not exists )?(\w+)")
_INDEX = re.compile(
    r"create (?:unique )?index (?P<how>concurrently )?(?:if not exists )?\w+ on (?:only )?(?P<table>\w+)"
)
_CHANGED = re.compile(
    r"(?:alter table (?:if exists )?(?:only )?|update (?:only )?|delete from |truncate )(?P<table>\w+)"
)

_FORBIDDEN = {
    r"drop (table|type|view|function|column)": "older versions may use it",
    r"\brename\b": "older versions use the old name",
    r"alter (column )?\w+ (set data )?type\b": "it writes the whole table anew",
    r"set not null": "it reads the whole table under a lock, and older versions may write null",
    r"^(update|delete|truncate)\b": "it writes many rows in one go; do it in batches, elsewhere",
    r"^(vacuum full|cluster|lock)\b": "it locks the table for long",
    r"add constraint (?!.*not valid)|add (check|foreign key|unique|primary key|exclude)": (
        "it reads the whole table under a lock; add it `not valid`"
    ),
    r"add (column )?(if not exists )?\w+ (?=[^,]*not null)(?![^,]*default)": (
        "older versions do not write it; give it a default"
    ),
    r"add (column )?[^,]*default (clock_timestamp|random|gen_random_uuid|uuidv)": (
        "a default that differs for each row writes the whole table anew"
    ),
}


def statements(text: str) -> list[str]:
    """The statements of a migration's way up, without their texts and comments."""
    bare = _WORDS.sub("", text.split("-- migrate:down", maxsplit=1)[0])
    return [one for part in bare.split(";") if (one := " ".join(part.lower().split()))]


def faults(text: str) -> Iterator[str]:
    """What is wrong with a migration."""
    found = statements(text)
    created = {name for one in found for name in _CREATED.findall(one)}
    if any("concurrently" in one for one in found) and not _is_alone(text, found):
        yield "`concurrently` needs a migration of its own, with `transaction:false` behind `migrate:up`"
    for statement in found:
        index, changed = _INDEX.match(statement), _CHANGED.match(statement)
        if index and index["table"] not in created and not index["how"]:
            yield f"writes to {index['table']} wait for the index; create it concurrently: {statement}"
        if statement.startswith("drop index") and "concurrently" not in statement:
            yield f"it locks the table; drop the index concurrently: {statement}"
        if changed and changed["table"] in created:
            continue
        for pattern, why in _FORBIDDEN.items():
            if re.search(pattern, statement):
                yield f"{why}: {statement}"


def _is_alone(text: str, found: list[str]) -> bool:
    return len(found) == 1 and re.search(r"-- migrate:up\s+transaction:false", text) is not None


def checked() -> list[Path]:
    """The migrations that have to hold to this."""
    return [one for one in sorted(MIGRATIONS.glob("*.sql")) if one.name > LAST_UNCHECKED + "~"]


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    found = [f"{file.name}: {fault}" for file in checked() for fault in faults(file.read_text())]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
