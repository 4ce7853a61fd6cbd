"""The files for production on a real engine, with a self-signed certificate."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.certificates import self_signed
from support.client import API
from support.compose import ComposeStack, left_of
from support.ports import free_ports
from support.waiting import eventually

pytestmark = pytest.mark.containers

FILES = ("docker-compose.yaml", "docker-compose.production.yaml")
TAKEN_OVER = "from-another-installation"
FORGED = "203.0.113.9"
# What nginx and the web server could read differently.
DETOURS = (
    "/execution/health",
    "//execution/health",
    "/execution//health",
    "/%65xecution/health",
    "/x/../execution/health",
    "/execution/variables/x/../../../api/v2/version",
    "/execution/variables/x%2f..%2f..%2f..%2fapi/v2/version",
)


class Production:
    """The stack behind its proxy, and a browser that trusts its certificate."""

    def __init__(self, image: str, folder: Path) -> None:
        self.folder = folder
        http, https = free_ports(2)
        self.url = f"https://127.0.0.1:{https}"
        self.http = f"http://127.0.0.1:{http}"
        self.address = ("127.0.0.1", https)
        self.renew()
        settings = {
            "COINREQUEST_IMAGE": image,
            "COINREQUEST_BASE_URL": self.url,
            "COINREQUEST_TLS_FOLDER": str(folder),
            "COINREQUEST_BIND": "127.0.0.1",
            "COINREQUEST_HTTP_PORT": str(http),
            "COINREQUEST_HTTPS_PORT": str(https),
            "COINREQUEST_AGENTS": "1",
        }
        self.stack = ComposeStack(f"coinrequest-production-{os.getpid()}", FILES, settings)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(folder / "fullchain.pem")

    def renew(self) -> None:
        """Write another certificate into the folder."""
        pem = self_signed(self.folder)
        for name in ("fullchain.pem", "privkey.pem"):
            shutil.copy(pem, self.folder / name)
            (self.folder / name).chmod(0o644)

    def certificate(self) -> str:
        """Return the certificate that the proxy shows."""
        return ssl.get_server_certificate(self.address, timeout=30)

    def sign_in(self) -> None:
        """Send the token of a user from now on."""
        shown = self.stack.sign_in()
        assert shown["COINREQUEST_URL"] == self.url
        assert shown["COINREQUEST_OP_PASSWORD"] == TAKEN_OVER
        who = {"username": "op", "password": TAKEN_OVER}
        answer = self.session.post(
            f"{self.url}/auth/token",
            json=who,
            timeout=60,
            headers={"X-Forwarded-For": FORGED, "X-Forwarded-Prefix": "/forged"},
        )
        assert answer.status_code == 201, answer.text
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, server: str = "", **options: Any) -> requests.Response:
        """GET a path as it stands here, without following redirects."""
        request = self.session.prepare_request(requests.Request("GET", self.url))
        request.url = (server or self.url) + path
        return self.session.send(request, timeout=90, allow_redirects=False, verify=self.session.verify, **options)


@pytest.fixture(scope="module")
def production(compose_image: str) -> Iterator[Production]:
    # The containers' account has to be able to read it, unlike pytest's own folders.
    folder = Path(tempfile.mkdtemp(prefix="coinrequest-tls-"))
    folder.chmod(0o755)
    running = Production(compose_image, folder)
    keep = ("sh", "-c", "umask 077; cat > /secrets/all/secrets.json")
    try:
        running.stack.compose("run", "--rm", "--no-deps", "-T", "secrets", *keep, stdin=json.dumps({"op": TAKEN_OVER}))
        running.stack.up()
        running.sign_in()
        yield running
    finally:
        running.session.close()
        running.stack.down()
        shutil.rmtree(folder)
    assert left_of(running.stack.project) == []


def test_https_shows_the_login_page_and_http_leads_there(production: Production) -> None:
    page = production.get("/auth/login/")
    assert page.status_code == 200
    assert 'name="password"' in page.text
    assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert page.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
    sent = Counter(name.lower() for name, _ in page.raw.headers.iteritems())
    assert {name for name, times in sent.items() if times > 1} <= {"set-cookie", "vary"}, "the proxy repeats nothing"
    assert "Secure" in page.headers["Set-Cookie"]
    assert page.headers["Content-Encoding"] == "gzip"
    redirect = production.get("/dags?x=1", production.http)
    assert redirect.status_code == 308
    assert redirect.headers["Location"] == f"{production.url}/dags?x=1"


def test_a_browser_signs_in_and_only_its_own_pages_do_something(production: Production) -> None:
    with requests.Session() as browser:
        browser.trust_env = False
        browser.verify = production.session.verify
        login = f"{production.url}/auth/login/"
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get(login, timeout=60).text)
        assert token
        form = {"csrf_token": token[1], "username": "op", "password": TAKEN_OVER}
        own = {"Origin": production.url, "Referer": login}
        signed_in = browser.post(login, form, headers=own, timeout=60, allow_redirects=False)
        assert signed_in.status_code == 302, signed_in.text
        assert "_token" in browser.cookies
        jobs = f"{production.url}{API}/job-types/integer/jobs"
        for origin, status in ((production.url, 202), (production.http, 403), ("https://127.0.0.1", 403)):
            body: dict[str, Any] = {"params": {"value": 0}}
            answer = browser.post(jobs, json=body, headers={"Origin": origin}, timeout=60)
            assert answer.status_code == status, f"{origin}: {answer.text}"


def test_the_execution_interface_is_for_agents_inside(production: Production) -> None:
    for path in DETOURS:
        assert production.get(path).status_code in (400, 404), path
    inside = "import urllib.request as r; print(r.urlopen('http://api-server:8080/execution/health').status)"
    assert production.stack.execute("agent", "python", "-c", inside).strip() == "200"


def test_old_protocols_are_refused(production: Production) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(production.address, timeout=30) as connection,
        pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"),
    ):
        context.wrap_socket(connection)


def test_metrics_want_a_sign_in(production: Production) -> None:
    path = "/jobs/metrics"
    assert requests.get(production.url + path, verify=production.session.verify, timeout=60).status_code == 401
    assert "coinrequest_" in production.get(path).text


def test_a_job_is_followed_while_it_runs(production: Production) -> None:
    submitted = production.session.post(
        f"{production.url}{API}/job-types/integer/jobs", json={"params": {"value": 5}}, timeout=60
    )
    assert submitted.status_code == 202, submitted.text
    job = submitted.json()
    assert job["dag_run_url"].startswith(f"{production.url}/dags/integer/")
    path = f"{API}/jobs/{job['id']}"
    with production.get(f"{path}/events", stream=True) as events:
        assert events.headers["Content-Type"].startswith("text/event-stream")
        lines = events.iter_lines(chunk_size=1, decode_unicode=True)
        assert any(line == "event: progress" for line in lines)
        # It has arrived while the task still counts; a buffer would have kept it until the end.
        assert production.get(path).json()["state"] == "running"
    done = production.get(f"{path}?wait=60").json()
    assert (done["state"], done["result"]["message"]) == ("success", "job complete")


def test_the_logs_name_the_client_and_no_forged_address(production: Production) -> None:
    seen = [one for one in logged(production, "proxy") if one.get("path") == "/auth/token"]
    noted = [one for one in logged(production, "api-server") if one.get("path") == "/auth/token"]
    assert seen
    assert noted
    assert noted[0]["client_addr"].rpartition(":")[0] == seen[0]["client"] != FORGED
    assert FORGED not in production.stack.compose("logs", "--no-log-prefix", "api-server", "proxy").stdout


def logged(production: Production, service: str) -> list[dict[str, Any]]:
    lines = production.stack.compose("logs", "--no-color", "--no-log-prefix", service).stdout.splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_renewed_certificate_is_read_without_a_restart(production: Production) -> None:
    challenge = production.folder / "webroot" / ".well-known" / "acme-challenge" / "token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof")
    assert production.get("/.well-known/acme-challenge/token", production.http).text == "proof"
    key = "/.well-known/acme-challenge/%2e%2e/%2e%2e/privkey.pem"
    assert production.get(key, production.http).status_code == 308

    before = production.certificate()
    production.renew()
    production.stack.execute("proxy", "nginx", "-s", "reload")
    eventually(lambda: production.certificate() != before)


def test_one_web_server_is_enough(production: Production) -> None:
    first, second = [one["Name"].removeprefix("/") for one in production.stack.containers("api-server")]
    try:
        subprocess.run(["docker", "kill", first], check=True, capture_output=True, timeout=60)
        assert {production.get("/auth/login/").status_code for _ in range(10)} == {200}
    finally:
        subprocess.run(["docker", "start", first], check=True, capture_output=True, timeout=60)
    assert second in production.stack.compose("ps", "--status", "running", "api-server").stdout


def test_large_bodies_and_many_attempts_to_sign_in_are_refused(production: Production) -> None:
    body = {"json": {"username": "x" * 2**21, "password": ""}, "timeout": 60}
    assert production.session.post(f"{production.url}/auth/token", **body).status_code == 413
    answers = [
        production.session.post(f"{production.url}/auth/nothing", json={}, timeout=60).status_code for _ in range(40)
    ]
    assert answers[0] in (404, 405)
    assert 429 in answers
    assert production.get("/auth/login/").status_code == 200
