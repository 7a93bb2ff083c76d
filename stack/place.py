"""Files that are this user's alone: what is made here, no other user can read, plant or lead elsewhere."""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE, OTHERS = 0o700, 0o077


class PlaceError(Exception):
    """A directory is not this user's alone, and cannot be made so. The message says what to do."""


@contextlib.contextmanager
def files_for_nobody_else() -> Iterator[None]:
    """While the context is open, this process and its children make files that no other user may read."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def own_directory(path: Path, group: int | None = None) -> None:
    """Make the directory if it is missing, and shut other users out; `group` may still pass through it.

    Raises PlaceError if the path is a link, no directory, or another user's.
    """
    try:
        path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise PlaceError(f"{path} must be a directory, and no symbolic link: {error.strerror}") from error
    try:
        _check_owner(path, os.fstat(directory), {os.geteuid()})
        if group is not None:
            os.fchown(directory, -1, group)
        os.fchmod(directory, PRIVATE if group is None else PRIVATE | stat.S_IXGRP)
    finally:
        os.close(directory)


def followed(path: Path) -> Path:
    """The path without links. Raises PlaceError if a link on the way is neither this user's nor root's."""
    for place in (path.absolute(), *path.absolute().parents):
        if place.is_symlink():
            _check_owner(place, place.lstat(), {os.geteuid(), 0})
    return path.resolve()


def shut(directory: Path, *owners: int) -> None:
    """Shut other users out of everything in a directory of one's own.

    What somebody has planted there before is not touched. It raises PlaceError: a symbolic link, or what
    belongs neither to this user nor to one of `owners`.
    """
    known = {os.geteuid(), *owners}
    for path in _everything(directory):
        with contextlib.suppress(FileNotFoundError):  # what runs there may end just now
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                raise PlaceError(f"{path} is a symbolic link, and may lead anywhere; remove it")
            _check_owner(path, found, known)
            if found.st_mode & OTHERS:
                path.chmod(stat.S_IMODE(found.st_mode) & PRIVATE)


def write(path: Path, content: str, owner: int | None = None) -> None:
    """Write a file that this user, or its `owner`, alone may read. It replaces what is there, in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if owner is not None:
            os.fchown(descriptor, owner, -1)
        file.write(content)
    new.replace(path)


def _everything(directory: Path) -> Iterator[Path]:
    for place, directories, files in os.walk(directory):
        yield from (Path(place, name) for name in (*directories, *files))


def _check_owner(path: Path, found: os.stat_result, known: set[int]) -> None:
    if found.st_uid not in known:
        raise PlaceError(f"{path} belongs to {_name(found.st_uid)}; remove it, or choose another place")


def _name(user: int) -> str:
    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user {user}"
