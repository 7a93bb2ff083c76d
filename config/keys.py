"""Where the codec's keys come from. Without the codec, which loads Temporal's SDK."""

import base64
import os
import secrets
from pathlib import Path

KEYS = "TRIPS_CODEC_KEYS"
"""The variable of the keys."""
KEYS_FILE = "codec.keys"
"""Where an embedded system has them in its data directory."""

KEY_BYTES = 32


def keys_here() -> str:
    """The keys for a command: those that are set, else those of the embedded system in `$TRIPS_DATA_DIR`."""
    path = Path(os.environ.get("TRIPS_DATA_DIR") or ".data") / KEYS_FILE
    kept = path.read_text() if path.exists() else ""
    return os.environ.get(KEYS, kept)


def new_keys() -> str:
    """One key, drawn at random, with an id of its own."""
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
