"""The data directory is this user's alone, and nothing that was planted in it leads elsewhere."""

import os
import stat
from pathlib import Path

import pytest

from stack import place
from stack.chosen import free_ports
from stack.place import PlaceError
from stack.system import System
from tests.system.test_supervision import up

OTHER = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory as an older version, or a careless umask, has left it."""
    made = tmp_path / "data"
    (made / "temporal").mkdir(parents=True)
    (made / "tokens.json").write_text("{}")
    for path in (made, made / "temporal", made / "tokens.json"):
        path.chmod(0o777)
    return made


def test_what_others_could_reach_is_shut(data: Path) -> None:
    place.own_directory(data)
    place.shut(data)
    assert [mode(path) for path in (data, data / "temporal", data / "tokens.json")] == [0o700] * 3


@pytest.mark.parametrize("name", ["tokens.json", "run", "temporal/temporal.db", "postgres"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_refused_and_what_it_leads_to_stays(
    data: Path, tmp_path: Path, name: str, is_there: bool
) -> None:
    target = tmp_path / "elsewhere"
    if is_there:
        target.write_text("as it was")
        target.chmod(0o644)
    (data / name).unlink(missing_ok=True)
    (data / name).symlink_to(target)
    with pytest.raises(PlaceError, match=f"{data / name} is a symbolic link"):
        System(data, free_ports()).shut()
    assert target.exists() == is_there
    assert not is_there or (target.read_text(), mode(target)) == ("as it was", 0o644)


def test_a_data_directory_that_is_a_link_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(PlaceError, match="no symbolic link"):
        place.own_directory(tmp_path / "link")
    assert mode(data) == 0o777


def test_a_link_of_ones_own_may_lead_to_the_data_directory(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    assert place.followed(tmp_path / "link") == data


@only_root
def test_a_link_of_another_user_may_not(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    os.chown(tmp_path / "link", OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(PlaceError, match="link belongs to"):
        place.followed(tmp_path / "link" / "data")


@only_root
@pytest.mark.parametrize("name", [".", "tokens.json", "temporal"])
def test_what_belongs_to_another_user_is_refused(data: Path, name: str) -> None:
    os.chown(data / name, OTHER, OTHER)
    with pytest.raises(PlaceError, match=f"{data / name} belongs to"):
        System(data, free_ports()).shut()
    assert mode(data / name) == 0o777


@only_root
def test_postgresql_alone_passes_through_and_lists_nothing(tmp_path: Path) -> None:
    System(tmp_path / "data", free_ports()).shut()
    assert mode(tmp_path / "data") == 0o710
    assert (tmp_path / "data").stat().st_gid != 0


def test_a_file_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("as it was")
    for planted in (link, tmp_path / "link.new"):
        planted.symlink_to(target)
    place.write(link, "new")
    assert (target.read_text(), link.read_text(), mode(link)) == ("as it was", "new", 0o600)
    assert not link.is_symlink()


def test_a_claim_of_a_port_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    claims = tmp_path / f"trips-ports-{os.geteuid()}"
    claims.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceError):
        free_ports()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.server
def test_up_says_so_in_one_line(data: Path, tmp_path: Path) -> None:
    (data / "seal.key").symlink_to(tmp_path / "elsewhere")
    result = up(data)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.strip().endswith("is a symbolic link, and may lead anywhere; remove it")
    assert "\n" not in result.stderr.strip()
    assert not (tmp_path / "elsewhere").exists()
