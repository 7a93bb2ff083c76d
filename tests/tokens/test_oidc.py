"""Tokens of an issuer: which are taken, which are not, and what becomes of them while its keys are away."""

import asyncio
import base64
import json
import time
import warnings
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
from tests.patience import PATIENCE_S
from tests.tokens.issuer import AUDIENCE, ISSUER, IssuerServer, claims, new_key, published

TRAVELLER = Caller("acme", {Scope.TRAVELLER}, "ada")


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


async def test_a_token_has_every_scope_that_its_claim_names(verifying: Verifying) -> None:
    token = verifying.issuer.sign(scope="trips:traveller trips:operator trips:fleet")
    assert await verifying.verify(token) == Caller("acme", set(Scope), "ada")
    fleet = await verifying.verify(verifying.issuer.sign(scope="openid trips:fleet"))
    assert fleet is not None and fleet.scopes == {Scope.FLEET}


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
        {"scope": [7, {"trips:operator": 1}]},
        {"scope": {"trips:operator": 1}},
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


async def test_callers_share_the_first_fetch_and_wait_for_no_later_one(
    verifying: Verifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "REFRESH_S", 0)
    token = verifying.issuer.sign()
    callers = await asyncio.gather(*(verifying.verify(token) for _ in range(20)))
    assert callers == [TRAVELLER] * 20
    assert verifying.issuer.fetched == 1
    monkeypatch.setattr(keys, "FETCH_TIMEOUT", aiohttp.ClientTimeout(total=60))
    verifying.issuer.may_answer.clear()
    async with verifying.keys.refreshed():
        async with asyncio.timeout(PATIENCE_S):
            while verifying.issuer.fetched == 1:
                await asyncio.sleep(0.01)
        # The next fetch is under way, and hangs.
        async with asyncio.timeout(PATIENCE_S):
            assert await verifying.verify(token) == TRAVELLER
    verifying.issuer.may_answer.set()


async def test_keys_are_fetched_before_anybody_needs_them(
    verifying: Verifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "REFRESH_S", 0.01)
    async with verifying.keys.refreshed(), asyncio.timeout(PATIENCE_S):
        while verifying.issuer.fetched < 3:
            await asyncio.sleep(0.01)
    fetched = verifying.issuer.fetched
    assert await verifying.verify(verifying.issuer.sign()) == TRAVELLER
    assert verifying.issuer.fetched == fetched


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


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ("JWT", True),
        ("jwt", True),
        ("at+jwt", True),
        ("application/at+jwt", True),
        (None, True),
        ("logout+jwt", False),
        ("dpop+jwt", False),
        ("", True),  # left out by who writes it
    ],
)
async def test_a_token_is_of_a_type_that_is_taken(
    verifying: Verifying, given: str | None, is_taken: bool
) -> None:
    token = verifying.issuer.sign(head={"typ": given})
    assert await verifying.verify(token) == (TRAVELLER if is_taken else None)


async def test_the_types_that_are_taken_can_be_set(verifying: Verifying) -> None:
    strict = Oidc(ISSUER, AUDIENCE, verifying.issuer.url, types=("at+jwt",))
    for given, taken in (("at+jwt", TRAVELLER), ("JWT", None), (None, None)):
        assert await oidc.verify(strict, verifying.keys, verifying.issuer.sign(head={"typ": given})) == taken


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("scope", ["openid", "trips:operator"]),
        ("scp", "openid trips:operator"),
        ("scp", ["trips:operator"]),
        ("https://trips.example/scopes", ["trips:operator openid"]),
    ],
)
async def test_scopes_are_a_text_or_a_list_in_the_claim_that_is_set(
    verifying: Verifying, claim: str, value: Any
) -> None:
    told = Oidc(ISSUER, AUDIENCE, verifying.issuer.url, scope_claim=claim, tenant_claim="https://t.example/t")
    token = verifying.issuer.sign(
        **{"scope": None, "tenant": None, "https://t.example/t": "acme", claim: value}
    )
    assert await oidc.verify(told, verifying.keys, token) == Caller("acme", {Scope.OPERATOR}, "ada")
    changes = {"scope": None, claim: value}
    usual = await verifying.verify(verifying.issuer.sign(**changes))
    assert (usual is not None) is (claim == "scope")


async def test_a_short_rsa_key_signs_nothing(verifying: Verifying) -> None:
    verifying.issuer.keys["short"] = ("RS256", new_key("RS256", bits=1024))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of it, too
        token = verifying.issuer.sign("short")
        assert await verifying.verify(token) is None
    assert await verifying.verify(verifying.issuer.sign()) == TRAVELLER


@pytest.mark.parametrize("head", [{}, {"kid": None}, {"kid": "of no key"}], ids=str)
async def test_keys_without_an_id_are_tried(verifying: Verifying, head: dict[str, Any]) -> None:
    verifying.issuer.keys["second"] = ("RS256", new_key("RS256"))
    entries = [published(key, "", alg) for alg, key in verifying.issuer.keys.values()]
    for entry in entries:
        del entry["kid"]
    verifying.issuer.answer = json.dumps({"keys": entries}).encode()
    for key_id in verifying.issuer.keys:
        assert await verifying.verify(verifying.issuer.sign(key_id, head)) == TRAVELLER
    verifying.issuer.keys["ghost"] = ("RS256", new_key("RS256"))
    assert await verifying.verify(verifying.issuer.sign("ghost", head)) is None


async def test_a_token_without_a_keys_id_is_tried_with_all(verifying: Verifying) -> None:
    verifying.issuer.keys["second"] = ("ES256", new_key("ES256"))
    for key_id in ("first", "second"):
        assert await verifying.verify(verifying.issuer.sign(key_id, {"kid": None})) == TRAVELLER


ODD_KEYS: list[Any] = [
    {"kty": []},
    {"kty": "RSA", "n": 7, "e": "AQAB", "kid": "x"},
    {"kty": "RSA", "n": {"a": 1}, "e": [], "kid": "x"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": None, "kid": "x"},
    {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA", "kid": "x"},
    {"kty": "OKP", "crv": "Ed25519", "x": "\u0000", "kid": "x"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": 7, "kid": "x"},
    {"kty": "RSA", "n": "AA", "e": "AA", "alg": "RS256", "kid": ["x"]},
    {"kty": "RSA", "n": "AQ" * 40_000, "e": "AQ" * 400, "kid": "x"},
    {"kty": "RSA", "key_ops": 7, "kid": "x"},
    None,
    [],
    "x",
]


@pytest.mark.parametrize("odd", ODD_KEYS, ids=lambda key: str(key)[:60])
async def test_an_odd_key_is_left_out(verifying: Verifying, odd: object) -> None:
    algorithm, key = verifying.issuer.keys["first"]
    verifying.issuer.answer = json.dumps({"keys": [odd, published(key, "first", algorithm)]}).encode()
    assert await verifying.verify(verifying.issuer.sign()) == TRAVELLER
    assert await verifying.verify(verifying.issuer.sign(head={"kid": "x"})) is None
