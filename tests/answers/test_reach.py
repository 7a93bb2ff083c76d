"""Partners behind a private CA, mutual TLS or a proxy, and settings that cannot work."""

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from config.clients import open_clients
from config.settings import Settings
from serving.client import ailment
from tests.answers.ground import serving
from trip.partner import Partner

HOTEL = Partner("hotel")


@dataclass(frozen=True)
class Authority:
    """A private CA whose files lie in `place`."""

    place: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> str:
        return str(self.place / "ca.pem")

    def issue(self, name: str) -> tuple[str, str]:
        """The files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = signed(name, key, self.certificate.subject, self.key, is_ca=False)
        return written(self.place, name, certificate, key)


def signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name | None, by: Any, *, is_ca: bool
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(by, hashes.SHA256())
    )


def written(
    place: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> tuple[str, str]:
    pem = serialization.Encoding.PEM
    (place / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    (place / f"{name}.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(place / f"{name}.pem"), str(place / f"{name}.key")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    place = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = signed("ca", key, None, key, is_ca=True)
    written(place, "ca", certificate, key)
    return Authority(place, key, certificate)


async def well(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def ailment_of(**settings: Any) -> str | None:
    """What is wrong with a hotel that is reached by these settings."""
    async with open_clients(Settings(**settings).upstreams()) as clients:
        return await ailment(clients[HOTEL], 5)


async def test_a_private_authority_and_mutual_tls(authority: Authority) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    context.load_cert_chain(*authority.issue("hotel"))
    context.verify_mode = ssl.CERT_REQUIRED
    cert_file, key_file = authority.issue("worker")
    ours = {"hotel_ca_file": authority.file, "hotel_cert_file": cert_file, "hotel_key_file": key_file}
    async with serving(well, ssl_context=context) as port:
        url = f"https://127.0.0.1:{port}"
        assert await ailment_of(hotel_url=url, **ours) is None
        assert "certificate" in (await ailment_of(hotel_url=url) or "")
        without_ours = await ailment_of(hotel_url=url, hotel_ca_file=authority.file)
        assert without_ours is not None and without_ours.startswith("health check: ")


async def test_a_proxy() -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"status": "ok"}')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await ailment_of(hotel_url="http://hotel.invalid", hotel_proxy=url) is None
    assert asked == [b"GET http://hotel.invalid/healthz HTTP/1.1"]


async def test_the_environments_proxy_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving(well) as port:
        assert await ailment_of(hotel_url=f"http://127.0.0.1:{port}") is None


UNWORKABLE: dict[str, dict[str, str]] = {
    "TRIPS_HOTEL_TOKEN": {"hotel_token": "secret\n"},
    "TRIPS_TOUR_TOKEN": {"tour_token": "sec\0ret"},
    "TRIPS_FLIGHT_TOKEN": {"flight_token": "sécret"},
    "TRIPS_POINTS_TOKEN": {"points_token": "a secret"},
    "TRIPS_HOTEL_URL": {"hotel_url": "127.0.0.1:8101"},
    "TRIPS_TOUR_URL": {"tour_url": "http://127.0.0.1:8102\n"},
    "TRIPS_FLIGHT_PROXY": {"flight_proxy": "proxy:3128"},
    "TRIPS_HOTEL_CA_FILE": {"hotel_ca_file": "/nowhere.pem"},
    "TRIPS_PAYMENT_KEY_FILE": {"payment_key_file": "/nowhere.key"},
}


@pytest.mark.parametrize("name", UNWORKABLE)
def test_what_cannot_work_is_refused_by_its_name(name: str) -> None:
    given: dict[str, Any] = dict(UNWORKABLE[name])
    with pytest.raises(ValidationError) as refused:
        Settings(**given)
    assert name in str(refused.value)
    assert "cret" not in str(refused.value), "it shows the token"


def test_an_empty_token_is_none() -> None:
    assert Settings(hotel_token="").upstream(HOTEL).token is None
