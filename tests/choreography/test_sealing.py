"""The card's token, sealed for the payment partner."""

import base64

import pytest

from choreography.sealing import NotSealed, Seal, new_key

TOKEN, TRIP = "tok_visa", "trip-1"  # the sample data's


@pytest.fixture
def seal() -> Seal:
    return Seal(new_key())


@pytest.mark.parametrize("token", [TOKEN, "", "トークン", "t" * 200])
def test_a_sealed_token_is_opened(seal: Seal, token: str) -> None:
    sealed = seal.seal(token, TRIP)
    assert sealed.startswith("sealed:v1:")
    assert not token or token not in sealed
    assert seal.open(sealed, TRIP) == token


def test_no_two_are_the_same(seal: Seal) -> None:
    assert seal.seal(TOKEN, TRIP) != seal.seal(TOKEN, TRIP)


def test_another_trip_cannot_use_it(seal: Seal) -> None:
    with pytest.raises(NotSealed, match="another trip"):
        seal.open(seal.seal(TOKEN, TRIP), "trip-2")


def test_another_key_does_not_open_it(seal: Seal) -> None:
    with pytest.raises(NotSealed, match="another key"):
        Seal(new_key()).open(seal.seal(TOKEN, TRIP), TRIP)


def test_each_changed_byte_is_found(seal: Seal) -> None:
    raw = base64.b64decode(seal.seal(TOKEN, TRIP).removeprefix("sealed:v1:"))
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(NotSealed):
            seal.open("sealed:v1:" + base64.b64encode(changed).decode(), TRIP)


@pytest.mark.parametrize(
    "text", [TOKEN, "", "sealed:v1:", "sealed:v1:AAAA", "sealed:v1:?", "sealed:v2:AAAA", "sealed:v1:é"]
)
def test_what_is_not_sealed_is_refused(seal: Seal, text: str) -> None:
    with pytest.raises(NotSealed) as refused:
        seal.open(text, TRIP)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    ["", "AAAA", "?" * 44, "é", new_key() + "AAAA", new_key()[:-4]],
    # A new key in a test's name would give each xdist worker tests of its own.
    ids=["empty", "short", "no base64", "no ASCII", "too long", "too short"],
)
def test_a_bad_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="base64 of 32 bytes") as refused:
        Seal(key)
    assert not key or key not in str(refused.value)
