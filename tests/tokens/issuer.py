"""An OpenID Connect issuer: keys of its own, published by a server of its own, and the tokens it signs."""

import asyncio
import functools
import json
import time
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from stack.ports import free_port

ISSUER = "https://issuer.example"
AUDIENCE = "trips"

Json = dict[str, Any]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_ALGORITHMS = {"RS256": RSAAlgorithm, "PS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def new_key(algorithm: str, bits: int = 2048) -> PrivateKey:
    """A private key of the kind that the algorithm signs with; `bits` are an RSA key's."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@functools.cache
def _first_key() -> PrivateKey:
    return new_key("RS256")  # which takes its time


def published(key: PrivateKey, key_id: str, algorithm: str) -> Json:
    """The public key as it is published."""
    document: Json = _ALGORITHMS[algorithm].to_jwk(key.public_key(), as_dict=True)  # type: ignore[attr-defined]
    return document | {"kid": key_id, "use": "sig", "alg": algorithm}


def claims(**changes: Any) -> Json:
    """The claims of a traveller of the tenant `acme`, changed; those given as None are left out."""
    now = int(time.time())
    usual: Json = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "tenant": "acme",
        "scope": "openid trips:traveller",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


class IssuerServer:
    """Publishes `answer`, as JSON where it is none, and counts how often it is fetched."""

    def __init__(self) -> None:
        self.keys = {"first": ("RS256", _first_key())}
        self.answer: bytes | None = None
        self.status = 200
        self.fetched = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._port = free_port()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"http://127.0.0.1:{self._port}/keys"

    def settings(self) -> Json:
        """What a front door that takes its tokens is set to."""
        return {
            "oidc_issuer": ISSUER,
            "oidc_audience": AUDIENCE,
            "oidc_keys_url": self.url,
            "oidc_loopback": True,
        }

    def sign(self, key_id: str = "first", head: Json | None = None, **changes: Any) -> str:
        """A token signed with one of the keys. What `head` gives as None is left out of the header."""
        algorithm, key = self.keys[key_id]
        headers = {"kid": key_id} | (head or {})
        if headers["kid"] is None:
            del headers["kid"]
        return jwt.encode(claims(**changes), key, algorithm, headers=headers)

    async def start(self) -> None:
        """Serve until `stop`."""
        app = web.Application()
        app.router.add_get("/keys", self._publish)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        """Serve no longer."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _publish(self, _request: web.Request) -> web.Response:
        self.fetched += 1
        await self.may_answer.wait()
        document = {"keys": [published(key, kid, alg) for kid, (alg, key) in self.keys.items()]}
        body = json.dumps(document).encode() if self.answer is None else self.answer
        return web.Response(body=body, status=self.status, content_type="application/json")
