"""What an administrator opens with a host name, through every door, and what stays closed."""

import re
from collections.abc import Iterator

import pytest
from support.guard_corpus import ALLOWED, SPECIAL, Names
from support.guard_doors import DOORS, World, assert_nothing_forbidden, enter, running_world
from support.http_stub import HttpStub

LIST = "hooks.test, B\u00fccher.example., 192.0.2.0/24"
NAMES = Names({"hooks.test": [ALLOWED], "xn--bcher-kva.example": [ALLOWED], "other.test": [ALLOWED]})
through_every_door = pytest.mark.parametrize("door", DOORS)
through_every_door_that_follows = pytest.mark.parametrize("door", [door for door in DOORS if door != "webhook"])


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as running:
        yield running


@through_every_door
@pytest.mark.parametrize(
    "host", ["hooks.test", "HOOKS.Test", "hooks.test.", "b\u00fccher.example", "xn--bcher-kva.example"]
)
def test_an_allowed_host_is_reached_however_it_is_spelled(door: str, host: str, world: World) -> None:
    seen, evidence = enter(door, world.fill(f"http://{host}:{{port}}/"), NAMES, LIST)
    # A webhook is posted with https here, which the server of this test does not speak: it is reached all the same.
    assert seen.status == 200 or door == "webhook", seen.error
    assert len(evidence.sockets) == 1
    assert_nothing_forbidden(world, evidence)


@through_every_door
@pytest.mark.parametrize("host", ["other.test", ALLOWED, "sub.hooks.test", "hookstest", "hooks.test.example", "[::1]"])
def test_another_host_at_the_same_address_is_not(door: str, host: str, world: World) -> None:
    names = Names({**NAMES, "sub.hooks.test": [ALLOWED], "hookstest": [ALLOWED], "hooks.test.example": [ALLOWED]})
    seen, evidence = enter(door, world.fill(f"http://{host}:{{port}}/"), names, LIST)
    assert re.search(SPECIAL, seen.error) or door == "webhook", seen.error
    assert (seen.status, evidence.sockets, world.asked) == (None, [], [])
    assert_nothing_forbidden(world, evidence)


@through_every_door
def test_an_allowed_host_does_not_open_cloud_metadata(door: str, world: World) -> None:
    names = Names({"hooks.test": ["169.254.169.254", "fd00:ec2::254"]})
    seen, evidence = enter(door, "http://hooks.test/latest/meta-data/", names, LIST)
    assert "cloud metadata" in seen.error
    assert evidence.sockets == []


@through_every_door_that_follows
def test_an_allowed_host_is_allowed_on_every_port(door: str, world: World, http_stub: HttpStub) -> None:
    names = Names({"hooks.test": [ALLOWED], "second.test": ["127.0.0.1"]})
    world.answers["/start"] = 302, {"Location": f"http://second.test:{http_stub.port}/end"}
    seen, evidence = enter(door, world.fill("http://hooks.test:{port}/start"), names, "hooks.test,second.test")
    assert seen.status == 200
    assert [hit.path for hit in http_stub.hits] == ["/end"]
    assert evidence.allowed == [ALLOWED, "127.0.0.1"]
    assert world.intruders() == []


@through_every_door_that_follows
@pytest.mark.parametrize("host", ["other.test", ALLOWED, "127.0.0.1", "[::1]", "localhost"])
def test_an_allowed_host_cannot_redirect_to_its_address(door: str, host: str, world: World) -> None:
    world.answers["/start"] = 307, {"Location": world.fill(f"http://{host}:{{port}}/end")}
    seen, evidence = enter(door, world.fill("http://hooks.test:{port}/start"), NAMES, LIST)
    assert "loopback" in seen.error
    assert world.asked == ["/start"]
    assert_nothing_forbidden(world, evidence)
