"""The passwords of the embedded engines. All come from one key, which the first start draws."""

import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from stack import place

KEY_FILE = "engines.key"


@dataclass(frozen=True)
class Passwords:
    """`is_new`: the engines have not been told yet."""

    key: str
    is_new: bool = False

    def of(self, user: str) -> str:
        """The password of a user or an engine: digits and letters, which stand in a URL as they are."""
        return hmac.new(self.key.encode(), user.encode(), "sha256").hexdigest()


def passwords_of(data_dir: Path) -> Passwords:
    """Those of the system that keeps its data there, or new ones."""
    path = data_dir / KEY_FILE
    return Passwords(path.read_text()) if path.exists() else Passwords(secrets.token_hex(32), is_new=True)


def keep(data_dir: Path, passwords: Passwords) -> None:
    """Keep them, once every engine has been told."""
    if passwords.is_new:
        place.write(data_dir / KEY_FILE, passwords.key)
