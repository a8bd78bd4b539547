"""The collector's own certificate authority: kiosks pin it, so no other is trusted for them.

The authority lasts ten years. The server's certificate lasts about one, and is made anew before
it ends; kiosks don't notice.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sync_service.collector.error import KeyFileError
from sync_service.collector.keyring import write_private

AUTHORITY_FILE: Final = "authority.pem"
RENEWED_BEFORE: Final = timedelta(days=30)
"""How long before its end the server's certificate is made anew."""

_AUTHORITY_KEY_FILE: Final = "authority.key"
_SERVER_FILE: Final = "server.pem"  # key and certificate in one, to be replaced as one
_AUTHORITY_LASTS: Final = timedelta(days=3653)
_SERVER_LASTS: Final = timedelta(days=397)
_CLOCK_SLACK: Final = timedelta(days=1)


class Authority:
    """The authority in a folder, and the certificate it gave the server.

    Every method raises `KeyFileError` for a file that it can't use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def make(cls, folder: Path, now: datetime) -> Self:
        """Make an authority in a new folder."""
        folder.mkdir(mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Regard collector authority")
        builder = (
            _builder(name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
        )
        certificate = _issued(builder, name, key, now, _AUTHORITY_LASTS)
        write_private(folder / _AUTHORITY_KEY_FILE, _key_pem(key))
        write_private(folder / AUTHORITY_FILE, certificate.public_bytes(Encoding.PEM))
        return cls(folder)

    def issue(self, names: Sequence[str], now: datetime) -> None:
        """Give the server a new certificate for its host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        names_in_it = x509.SubjectAlternativeName([_general_name(name) for name in names])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = (
            _builder(_name("Regard collector"), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(purpose, critical=False)
            .add_extension(names_in_it, critical=False)
        )
        authority = self._certificate(AUTHORITY_FILE)
        certificate = _issued(builder, authority.subject, self._authority_key(), now, _SERVER_LASTS)
        unfinished = self._folder / f".{_SERVER_FILE}.new"
        unfinished.unlink(missing_ok=True)  # of a run that was cut short
        write_private(unfinished, _key_pem(key) + certificate.public_bytes(Encoding.PEM))
        unfinished.replace(self._folder / _SERVER_FILE)

    def renew(self, names: Sequence[str], now: datetime) -> bool:
        """Make the server's certificate anew if it ends soon; says whether it did."""
        if self._certificate(_SERVER_FILE).not_valid_after_utc - now > RENEWED_BEFORE:
            return False
        self.issue(names, now)
        return True

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let new connections be served with the certificate."""
        try:
            context.load_cert_chain(self._folder / _SERVER_FILE)
        except (OSError, ssl.SSLError) as error:
            raise KeyFileError(f"{self._folder / _SERVER_FILE}: can't be used: {error}") from None

    def _certificate(self, name: str) -> x509.Certificate:
        return check_pem(self._folder / name)

    def _authority_key(self) -> ec.EllipticCurvePrivateKey:
        path = self._folder / _AUTHORITY_KEY_FILE
        try:
            key = load_pem_private_key(_read(path), None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyFileError(f"{path}: damaged; no private key of the authority in it")
        return key


def check_pem(path: Path) -> x509.Certificate:
    """The certificate in a PEM file.

    Raises:
        KeyFileError: there is none in it, or it can't be read.
    """
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise KeyFileError(f"{path}: there is no certificate in PEM in it") from None


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _issued(
    builder: x509.CertificateBuilder,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lasts: timedelta,
) -> x509.Certificate:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        builder.issuer_name(issuer)
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + lasts)
        .add_extension(identifier, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: can't be read: {error.strerror}") from None
