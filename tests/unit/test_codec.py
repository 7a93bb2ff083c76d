"""Payloads are encrypted with the newest key, and read with any that is known."""

import base64

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from config.codec import Codec, NotDecoded, codec_of
from config.keys import new_keys
from config.temporal import data_converter

MEMBER = "M-1001"
OLD, NEW = new_keys(), new_keys()
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=f'"{MEMBER}"'.encode())


def codec(keys: str) -> Codec:
    found = codec_of(keys)
    assert found is not None
    return found


async def encoded(keys: str) -> Payload:
    (payload,) = await codec(keys).encode([PLAIN])
    return payload


async def test_what_is_encoded_is_read_back_and_shows_nothing() -> None:
    payload, again = await encoded(NEW), await encoded(NEW)
    assert MEMBER.encode() not in payload.SerializeToString()
    assert payload.data != again.data
    assert await codec(NEW).decode([payload]) == [PLAIN]


async def test_the_first_key_encodes_and_all_decode() -> None:
    before, after = await encoded(OLD), await encoded(f"{NEW},{OLD}")
    assert await codec(f"{NEW},{OLD}").decode([before, after]) == [PLAIN, PLAIN]
    assert await codec(NEW).decode([after]) == [PLAIN]


async def test_a_payload_in_clear_passes() -> None:
    assert await codec(NEW).decode([PLAIN]) == [PLAIN]


async def test_without_its_key_a_payload_is_not_read() -> None:
    with pytest.raises(NotDecoded, match="has no key"):
        await codec(NEW).decode([await encoded(OLD)])


async def test_a_payload_that_was_changed_is_not_read() -> None:
    payload = await encoded(NEW)
    for data in (payload.data[:-1] + b"x", payload.data[:20], b"", b"short"):
        with pytest.raises(NotDecoded, match="does not fit"):
            await codec(NEW).decode([Payload(metadata=payload.metadata, data=data)])


async def test_a_failure_shows_neither_its_message_nor_its_stack() -> None:
    def fail() -> None:
        raise ValueError(f"no points of {MEMBER}")

    converter = data_converter(codec(NEW))
    failure = Failure()
    try:
        fail()
    except ValueError as error:
        await converter.encode_failure(error, failure)
    assert failure.encoded_attributes.data
    assert MEMBER.encode() not in failure.SerializeToString()
    assert b"test_codec" not in failure.SerializeToString()
    assert MEMBER in str(await converter.decode_failure(failure))


KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "keys", ["nonsense", f":{KEY}", "one:", f"one:{KEY[:8]}", f"one:{KEY},one:{KEY}", f"one:{KEY}!"]
)
def test_keys_that_are_none_are_refused_and_not_shown(keys: str) -> None:
    with pytest.raises(ValueError, match="TRIPS_CODEC_KEYS") as refused:
        codec_of(keys)
    assert KEY[:8] not in str(refused.value)


@pytest.mark.parametrize("keys", ["", " ", "\n"])
def test_without_keys_there_is_no_codec(keys: str) -> None:
    assert codec_of(keys) is None
