"""SecantusDB, which speaks MongoDB's protocol, from its wheel. It asks for a password."""

import asyncio
import ipaddress
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from stack import place
from stack.ports import LOOPBACK, free_port

USER = "partners"
"""The one user of the server. It may do everything."""

TIMEOUT_S = 60.0
_EXISTS = 51003
_MADE_BY = "WiredTiger"
"""A file that the server makes at its first start."""
_LOOPBACK = x509.IPAddress(ipaddress.ip_address(LOOPBACK))


def url(port: int, password: str, database: str) -> str:
    """The URL by which the user reaches a database."""
    return f"mongodb://{USER}:{password}@{LOOPBACK}:{port}/{database}?authSource=admin"


def command(directory: Path, port: int, *options: str) -> list[str]:
    """The server's command line. Users count only with the option `--auth`."""
    program = str(Path(sys.executable).parent / "secantusd-py")
    told = ["--host", LOOPBACK, "--port", str(port), "--storage-path", str(directory)]
    return [program, *told, "--sync-on-commit", "--log-level", "WARNING", *options]


async def prepare(directory: Path, password: str, *, is_new: bool) -> None:
    """Make the user, or give it a new password.

    The server makes users only as long as it asks nobody for a password. Meanwhile it asks for a certificate,
    which no other user of the machine has.
    """
    if not is_new and (directory / _MADE_BY).exists():
        return
    with tempfile.TemporaryDirectory(prefix="trips-mongo-") as made:
        certificate = Path(made) / "certificate.pem"
        place.write(certificate, _certificate())
        told = (f"--tls-{kind}-file" for kind in ("cert", "key", "ca"))
        options = [word for option in told for word in (option, str(certificate))]
        port = free_port()
        server = await asyncio.create_subprocess_exec(
            *command(directory, port, *options, "--tls-require-client-cert"),
            stdout=DEVNULL,
            stderr=DEVNULL,
            stdin=DEVNULL,
            cwd=directory,
        )
        try:
            await _make_user(port, certificate, password)
        finally:
            server.send_signal(signal.SIGKILL)  # as stack.engines ends it
            await server.wait()


async def _make_user(port: int, certificate: Path, password: str) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        LOOPBACK,
        port,
        tls=True,
        tlsCAFile=str(certificate),
        tlsCertificateKeyFile=str(certificate),
        serverSelectionTimeoutMS=1000 * TIMEOUT_S,
        timeoutMS=1000 * TIMEOUT_S,
    )
    user: dict[str, Any] = {"pwd": password, "roles": [{"role": "root", "db": "admin"}]}
    try:
        try:
            await client.admin.command("createUser", USER, **user)
        except OperationFailure as error:
            if error.code != _EXISTS:
                raise
            await client.admin.command("updateUser", USER, **user)
    finally:
        await client.close()


def _certificate() -> str:
    """A key and a certificate of its own for server and client, each of which trusts this one alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, USER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_LOOPBACK]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (private + certificate.public_bytes(Encoding.PEM)).decode()
