"""A proxy would open the connection in our stead, and the guard would judge the proxy alone: none is ever used."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.guard_corpus import ALLOWED
from support.guard_doors import DOORS, World, assert_nothing_forbidden, enter, running_world
from support.http_stub import HttpStub

PROXY = "127.0.0.1"
VARIABLES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
SCHEMES = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]
through_every_door = pytest.mark.parametrize("door", DOORS)


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder whose owner has configured curl."""
    for variable in ("HOME", "CURL_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in [*VARIABLES, "NO_PROXY", "no_proxy", "REQUEST_METHOD", "NETRC"]:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_the_trap_works(http_stub: HttpStub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libcurl left alone does use the environment's proxy."""
    import pycurl

    monkeypatch.setenv("http_proxy", http_stub.url)
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, "http://public.test/")
    curl.setopt(pycurl.WRITEFUNCTION, len)
    curl.perform()
    curl.close()
    assert http_stub.hits[0].path == "http://public.test/"


@through_every_door
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("no_proxy", [None, "", "other.test"])
def test_the_environments_proxies_are_ignored(
    door: str,
    scheme: str,
    no_proxy: str | None,
    world: World,
    http_stub: HttpStub,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, f"{scheme}://user:secret@{PROXY}:{http_stub.port}")
    for variable in ("NO_PROXY", "no_proxy"):
        if no_proxy is not None:
            monkeypatch.setenv(variable, no_proxy)
    allowed = f"{ALLOWED},{PROXY}"  # the proxy as well, so that it is not the guard that keeps it away
    for url in (f"http://{ALLOWED}:{{port}}/", "http://public.test:{port}/"):
        seen, evidence = enter(door, world.fill(url), allowed=allowed)
        assert seen.status == 200 or door == "webhook", seen.error
        assert_nothing_forbidden(world, evidence)
    assert http_stub.hits == []
    # What is refused stays so, although a proxy would look the name up by itself.
    seen, evidence = enter(door, world.fill("http://[::1]:{port}/"), allowed=allowed)
    assert (seen.status, evidence.sockets) == (None, [])
    assert http_stub.hits == []


@through_every_door
def test_curls_own_files_are_ignored(door: str, world: World, http_stub: HttpStub, home: Path) -> None:
    lines = f"proxy = {http_stub.url}\nlocation\ninsecure\nheader = X-Leak: yes\nuser = alice:secret\n"
    for name in (".curlrc", "_curlrc", "curlrc"):
        (home / name).write_text(lines)
    for name in (".netrc", "_netrc"):
        netrc = home / name
        netrc.write_text(f"machine {PROXY} login alice password secret\ndefault login alice password secret\n")
        netrc.chmod(0o600)
    # Through the second server, because it tells which headers it got.
    seen, _ = enter(door, f"{http_stub.url}/reached", allowed=f"{ALLOWED},{PROXY}")
    assert seen.status == 200 or door == "webhook", seen.error  # that is posted to https, which it does not speak
    for hit in http_stub.hits:
        assert hit.path == "/reached"
        assert not {"authorization", "x-leak", "proxy-authorization"} & set(hit.headers)


@pytest.mark.parametrize("door", ["send", "test_url", "http.request"])
def test_names_are_resolved_locally_and_not_by_a_proxy(
    door: str, world: World, http_stub: HttpStub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5h://{PROXY}:{http_stub.port}")
    seen, evidence = enter(door, world.fill("http://private.test:{port}/"), allowed=f"{ALLOWED},{PROXY}")
    assert "private" in seen.error
    assert evidence.sockets == []
    assert http_stub.hits == []
