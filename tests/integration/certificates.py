"""Certificates made for a test: an authority, and whom it vouches for."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ivr.sip_tls import TlsSettings, client_context, server_context
from ivr.sip_wires import WirePlan


def make_certificate(folder: Path, name: str, authority: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
    """A certificate of `name` in `folder`, by `authority` or by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (authority[0].subject, authority[1]) if authority else (subject, key)
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
    certificate = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(_usage(signs=authority is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key


def make_papers(folder: Path) -> Path:
    """In `folder`: an authority, whom it vouches for, and somebody whom another one does."""
    authority = make_certificate(folder, "authority")
    for name in ("trunk.test", "office.test"):
        make_certificate(folder, name, authority)
    make_certificate(folder, "forged.test", make_certificate(folder, "stranger"))
    return folder


def _usage(signs: bool) -> x509.KeyUsage:
    """A strict verifier (RFC 5280, Python 3.13's default) wants it said."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def tls_of(papers: Path, name: str, **changes: object) -> TlsSettings:
    base: dict[str, object] = {
        "port": 0,
        "certificate": papers / f"{name}.pem",
        "key": papers / f"{name}.key",
        "authorities": papers / "authority.pem",
    }
    return TlsSettings.model_validate(base | changes)


def tls_plan(papers: Path, name: str = "trunk.test", **changes: object) -> WirePlan:
    settings = tls_of(papers, name, **changes)
    to_office = client_context(settings, verify=True)
    return WirePlan(
        tcp=True, server_tls=server_context(settings), client_tls=lambda hop: (to_office, "office.test")
    )
