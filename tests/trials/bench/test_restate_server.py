"""A package with another hash than the pinned one is not installed."""

from pathlib import Path

import pytest

from trials.bench.contest import restate_server

NPM = """\
#!/bin/sh
echo tampered > package.tgz
"""


def test_a_package_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text(NPM)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(restate_server, "BINARY", tmp_path / "peers" / "restate-server")
    with pytest.raises(ValueError, match="not the one expected"):
        restate_server.install()
    assert list((tmp_path / "peers").iterdir()) == []
