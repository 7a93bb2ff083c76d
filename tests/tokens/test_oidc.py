"""Tokens of an issuer: which are taken, which are not, and what becomes of them while its keys are away."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.tokens import keys, oidc
from api.tokens.caller import Caller, Scope
from api.tokens.keys import Keys, KeysAway
from config.settings import Oidc
from tests.tokens.issuer import AUDIENCE, ISSUER, IssuerServer, claims, new_key, published

TRAVELLER = Caller("acme", Scope.TRAVELLER, "ada")


@dataclass
class Verifying:
    """An issuer, and who verifies its tokens by a clock that stands still."""

    issuer: IssuerServer
    keys: Keys
    now: float = 1000.0

    async def verify(self, token: str) -> Caller | None:
        return await oidc.verify(Oidc(ISSUER, AUDIENCE, self.issuer.url), self.keys, token)


@pytest.fixture
async def verifying(http: aiohttp.ClientSession) -> AsyncIterator[Verifying]:
    """An issuer that serves, with one key."""
    issuer = IssuerServer()
    await issuer.start()
    found = Verifying(issuer, Keys(issuer.url, http, lambda: found.now))
    yield found
    await issuer.stop()


def part(value: Any) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_signed_token_stands_for_its_caller(verifying: Verifying, algorithm: str) -> None:
    verifying.issuer.keys["other"] = (algorithm, new_key(algorithm))
    assert await verifying.verify(verifying.issuer.sign("other")) == TRAVELLER


async def test_an_operators_scope_counts_more(verifying: Verifying) -> None:
    token = verifying.issuer.sign(scope="trips:traveller trips:operator")
    assert await verifying.verify(token) == Caller("acme", Scope.OPERATOR, "ada")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "others"},
        {"aud": None},
        pytest.param({"exp": int(time.time()) - 60}, id="expired"),
        {"exp": None},
        pytest.param({"nbf": int(time.time()) + 86_400}, id="not yet valid"),
        {"scope": "openid"},
        {"scope": "trips:travellers xtrips:operator"},
        {"scope": ["trips:operator"]},
        {"scope": None},
        {"tenant": None},
        {"tenant": ""},
        {"tenant": 7},
        {"tenant": "a\0b"},
        {"tenant": "x" * 201},
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_is_nobodys(verifying: Verifying, changes: dict[str, Any]) -> None:
    assert await verifying.verify(verifying.issuer.sign(**changes)) is None


async def test_a_token_signed_by_another_is_nobodys(verifying: Verifying) -> None:
    forged = jwt.encode(claims(), new_key("RS256"), "RS256", headers={"kid": "first"})
    assert await verifying.verify(forged) is None


async def test_a_token_that_was_changed_is_nobodys(verifying: Verifying) -> None:
    header, _, signature = verifying.issuer.sign().split(".")
    changed = f"{header}.{part(claims(scope='trips:operator'))}.{signature}"
    assert await verifying.verify(changed) is None


async def test_an_unsigned_token_is_nobodys(verifying: Verifying) -> None:
    for algorithm in ("none", "None", "NONE"):
        unsigned = f"{part({'alg': algorithm, 'kid': 'first'})}.{part(claims())}."
        assert await verifying.verify(unsigned) is None


async def test_a_public_key_is_no_secret(verifying: Verifying) -> None:
    public = verifying.issuer.keys["first"][1].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing_input = f"{part({'alg': 'HS256', 'kid': 'first', 'typ': 'JWT'})}.{part(claims())}"
    hmac = jwt.get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(hmac.sign(signing_input.encode(), pem)).decode().rstrip("=")
    assert await verifying.verify(f"{signing_input}.{signature}") is None


async def test_a_published_secret_signs_nothing(verifying: Verifying) -> None:
    secret = b"k" * 64
    entry = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    verifying.issuer.answer = json.dumps({"keys": [entry]}).encode()
    token = jwt.encode(claims(), secret, "HS256", headers={"kid": "shared"})
    assert await verifying.verify(token) is None


async def test_a_key_for_encryption_signs_nothing(verifying: Verifying) -> None:
    algorithm, key = verifying.issuer.keys["first"]
    entry = published(key, "first", algorithm) | {"use": "enc"}
    verifying.issuer.answer = json.dumps({"keys": [entry]}).encode()
    assert await verifying.verify(verifying.issuer.sign()) is None


GARBAGE_HEADERS = [[], {"alg": "RS256"}, {"alg": "RS256", "kid": 7}, {"alg": "RS256", "kid": ["first"]}]
DEEP_HEADER = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "x" * 8000,
        f"{DEEP_HEADER}.e30.x",
        *(f"{part(h)}.e30.x" for h in GARBAGE_HEADERS),
    ],
    ids=range(10),
)
async def test_garbage_is_nobodys(verifying: Verifying, token: str) -> None:
    assert await verifying.verify(token) is None


async def test_keys_are_fetched_once_in_five_minutes(verifying: Verifying) -> None:
    token = verifying.issuer.sign()
    callers = await asyncio.gather(*(verifying.verify(token) for _ in range(20)))
    assert callers == [TRAVELLER] * 20
    verifying.now += keys.FRESH_S
    await verifying.verify(token)
    assert verifying.issuer.fetched == 1
    verifying.now += 1
    await verifying.verify(token)
    assert verifying.issuer.fetched == 2


async def test_a_new_key_is_known_within_ten_seconds(verifying: Verifying) -> None:
    old = verifying.issuer.sign()
    assert await verifying.verify(old) == TRAVELLER
    verifying.issuer.keys = {"second": ("ES256", new_key("ES256"))}
    new = verifying.issuer.sign("second")
    verifying.now += keys.RETRY_S
    assert await verifying.verify(new) == TRAVELLER
    # The old key is published no longer.
    assert await verifying.verify(old) is None


async def test_unknown_keys_do_not_flood_the_issuer(verifying: Verifying) -> None:
    verifying.issuer.keys["ghost"] = ("RS256", new_key("RS256"))
    ghost = verifying.issuer.sign("ghost")
    del verifying.issuer.keys["ghost"]
    for _ in range(20):
        assert await verifying.verify(ghost) is None
    assert verifying.issuer.fetched == 1
    assert await verifying.verify(verifying.issuer.sign()) == TRAVELLER


async def test_nothing_is_said_while_the_keys_are_away(verifying: Verifying) -> None:
    await verifying.issuer.stop()
    with pytest.raises(KeysAway):
        await verifying.verify(verifying.issuer.sign())
    # Asked again at once, it is not fetched again, and still nothing is said.
    await verifying.issuer.start()
    with pytest.raises(KeysAway):
        await verifying.verify(verifying.issuer.sign())
    verifying.now += keys.RETRY_S
    assert await verifying.verify(verifying.issuer.sign()) == TRAVELLER


async def test_known_keys_serve_while_the_issuer_is_away_but_not_for_ever(verifying: Verifying) -> None:
    token = verifying.issuer.sign()
    await verifying.verify(token)
    await verifying.issuer.stop()
    verifying.now += keys.STALE_S
    assert await verifying.verify(token) == TRAVELLER
    verifying.now += 1
    with pytest.raises(KeysAway):
        await verifying.verify(token)


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"[]", b'{"keys": 7}', b"\xff", b"[" * 10_000, b" " * (keys.MAX_BYTES + 1)],
    ids=range(7),
)
async def test_an_answer_that_is_no_set_of_keys_is_none(verifying: Verifying, answer: bytes) -> None:
    verifying.issuer.answer = answer
    with pytest.raises(KeysAway):
        await verifying.verify(verifying.issuer.sign())


async def test_a_bad_key_does_not_spoil_the_others(verifying: Verifying) -> None:
    algorithm, key = verifying.issuer.keys["first"]
    bad = [
        7,
        {},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-1"},
        {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "x"},
    ]
    good = published(key, "first", algorithm)
    del good["alg"]
    verifying.issuer.answer = json.dumps({"keys": [*bad, good]}).encode()
    assert await verifying.verify(verifying.issuer.sign()) == TRAVELLER


async def test_an_error_is_no_answer(verifying: Verifying) -> None:
    verifying.issuer.status = 500
    with pytest.raises(KeysAway):
        await verifying.verify(verifying.issuer.sign())
