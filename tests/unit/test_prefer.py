"""The `Prefer` header, as RFC 7240 writes it."""

import pytest

from api.prefer import wait_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=10", 10),
        ("respond-async, wait=5", 5),
        ("WAIT = \"7\"", 7),
        ("wait=10; foo=bar", 10),
        ("wait=600", 60),
        ("wait=-1", 0),
        ("wait", 0),
        ("wait=soon", 0),
        ("await=9", 0),
    ],
)  # fmt: skip
def test_wait_seconds(header: str | None, seconds: int) -> None:
    assert wait_seconds(header) == seconds
