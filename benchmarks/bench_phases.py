"""Where the time of a request goes, by this project's test and by `curl -w`, of the same server in turn."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks import url_stub
from benchmarks.context import Context
from benchmarks.measure import GaveUp, in_turn, say, summary
from coinrequest.urltest import AddressGuard, test_url

PHASES = ("resolve", "connect", "tls", "first_byte", "transfer", "total")
# Two measurements of the same thing agree within the larger of the two.
TOLERANCE_SECONDS = 0.002
TOLERANCE_SHARE = 0.1


def run(context: Context) -> None:
    """Request each target with both, one after the other, and compare the medians of each phase."""
    if shutil.which("curl") is None:
        raise GaveUp("curl is not installed")
    targets: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        trusted = _certificate(Path(folder) / "server.pem")
        certificate = str(trusted)
        with (
            url_stub.running() as plain,
            url_stub.running(certificate=certificate) as secure,
            url_stub.running(certificate=certificate) as other,
        ):
            before = f"https://localhost:{other}/"
            for name, url in _targets(f"http://localhost:{plain}", f"https://localhost:{secure}").items():
                targets[name] = _compare(url, before, trusted, context.samples)
                say(f"{name}: {_in_words(targets[name])}")
                context.results.put("phases", targets=targets)


def _targets(plain: str, secure: str) -> dict[str, str]:
    body = "size=200000,body=25"
    return {
        "http, first byte after 30 ms": f"{plain}/delay=30",
        "http, body in two parts 25 ms apart": f"{plain}/{body}",
        "https, first byte after 20 ms": f"{secure}/delay=20",
        "https, body in two parts 25 ms apart": f"{secure}/delay=10,{body}",
        "http, redirected to https": f"{plain}/delay=20,to={secure}/delay=20,{body}",
    }


def _compare(url: str, before: str, trusted: Path, samples: int) -> dict[str, dict[str, Any]]:
    ways = {"ours": lambda: _ours(url, trusted), "curl": lambda: _curl(url, before, trusted)}
    found = in_turn(ways, samples)
    return {
        phase: {way: summary([phases[phase] for phases in seen]) for way, seen in found.items()} for phase in PHASES
    }


def _ours(url: str, trusted: Path) -> Mapping[str, float]:
    os.environ["SSL_CERT_FILE"] = str(trusted)
    try:
        test = test_url(url, ip_version=4, attempts=1, guard=AddressGuard(["localhost"]))
    finally:
        del os.environ["SSL_CERT_FILE"]
    if test.phases is None or test.status != 200:
        raise GaveUp(f"{url}: {test.result}")
    return asdict(test.phases)


def _curl(url: str, before: str, trusted: Path) -> Mapping[str, float]:
    """Request another server first: what OpenSSL does once in a process is done by then, as it is in ours."""
    words = ["curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--ipv4", "--location"]
    words += ["--no-sessionid", "--cacert", str(trusted), "--write-out", "%{stderr}%{json}\n", before, url]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GaveUp(f"{url}: {done.stderr.strip()}")
    # Points in time since the start of each request, added up over the redirects by curl itself.
    seen = json.loads(done.stderr.splitlines()[-1])
    resolved, connected, first_byte = seen["time_namelookup"], seen["time_connect"], seen["time_starttransfer"]
    ready = max(seen["time_appconnect"], connected)
    return {
        "resolve": resolved,
        "connect": connected - resolved,
        "tls": ready - connected,
        "first_byte": first_byte - ready,
        "transfer": seen["time_total"] - first_byte,
        "total": seen["time_total"],
    }


def difference(measured: Mapping[str, Mapping[str, float]]) -> float:
    """Return by how many seconds the median of ours is longer than that of curl; negative if it is shorter."""
    return measured["ours"]["median"] - measured["curl"]["median"]


def agrees(measured: Mapping[str, Mapping[str, float]]) -> bool:
    """Return whether two medians of a phase say the same."""
    return abs(difference(measured)) <= max(TOLERANCE_SECONDS, TOLERANCE_SHARE * measured["curl"]["median"])


def _in_words(phases: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{phase} {1000 * one['ours']['median']:.2f} and {1000 * one['curl']['median']:.2f} ms"
        for phase, one in phases.items()
    )


def _certificate(path: Path) -> Path:
    """Write a key and a certificate of its own for localhost; return the path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path
