"""Every target of the corpus is refused or safe, through every door; no socket is opened to what is forbidden."""

import re
from collections.abc import Iterator, Sequence

import pytest
from support import guard_corpus, guard_corpus_redirects, guard_corpus_texts
from support.guard_corpus import ALLOWED, Case, Names, names
from support.guard_corpus_redirects import Redirect
from support.guard_doors import DOORS, World, assert_nothing_forbidden, enter, running_world

REFUSED = [*guard_corpus.ALL, *guard_corpus_texts.ALL]
through_every_door = pytest.mark.parametrize("door", DOORS)


@pytest.fixture(scope="module")
def servers() -> Iterator[World]:
    with running_world() as world:
        yield world


@pytest.fixture
def world(servers: World) -> World:
    servers.answers.clear()
    servers.asked.clear()
    assert servers.intruders() == []
    return servers


def test_the_forbidden_servers_notice_who_connects(world: World) -> None:
    import socket

    for listener in world.forbidden:
        socket.create_connection(listener.getsockname()[:2]).close()
    assert len(world.intruders()) == len(world.forbidden)


def test_the_corpus_is_large_and_has_no_target_twice() -> None:
    urls = [case.url for case in REFUSED]
    assert len(urls) >= 200
    assert sorted(urls) == sorted(set(urls))
    assert len(guard_corpus_redirects.REFUSED) >= 50


@through_every_door
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.why)
def test_a_forbidden_target_is_refused_and_no_socket_is_opened(door: str, case: Case, world: World) -> None:
    seen, evidence = enter(door, world.fill(case.url))
    assert seen.status is None
    assert re.search(case.refusal, seen.error) or door == "webhook", seen.error
    assert evidence.sockets == []
    assert world.asked == []
    assert_nothing_forbidden(world, evidence)


@through_every_door
@pytest.mark.parametrize("case", guard_corpus_texts.SAFE, ids=lambda case: case.why)
def test_a_target_that_only_looks_forbidden_reaches_what_it_names(door: str, case: Case, world: World) -> None:
    seen, evidence = enter(door, world.fill(case.url))
    # A webhook goes to https alone, or to an address that is allowed itself; the server of this test speaks http.
    assert seen.status == 200 or door == "webhook", seen.error
    assert len(evidence.sockets) <= 1
    assert_nothing_forbidden(world, evidence)


@through_every_door
@pytest.mark.parametrize("case", guard_corpus_redirects.REFUSED, ids=lambda case: case.why)
def test_a_redirect_to_a_forbidden_target_is_refused(door: str, case: Redirect, world: World) -> None:
    world.answers["/start"] = case.status, {"Location": world.fill(case.location)}
    world.answers["/again"] = 302, {"Location": "/again"}
    seen, evidence = enter(door, world.fill(f"http://{ALLOWED}:{{port}}/start"))
    if door == "webhook":
        assert (seen.status, len(world.asked)) == (case.status, 1)  # it follows none
    else:
        assert seen.status is None
        assert re.search(case.refusal, seen.error), seen.error
    assert world.asked[0] == "/start"
    assert_nothing_forbidden(world, evidence)


@through_every_door
@pytest.mark.parametrize("case", guard_corpus_redirects.SAFE, ids=lambda case: case.why)
def test_a_redirect_that_only_looks_forbidden_stays_where_it_may(door: str, case: Redirect, world: World) -> None:
    world.answers["/start"] = case.status, {"Location": world.fill(case.location)}
    seen, evidence = enter(door, world.fill(f"http://{ALLOWED}:{{port}}/start"))
    assert seen.status is not None, seen.error
    assert_nothing_forbidden(world, evidence)


@through_every_door
@pytest.mark.parametrize("status", [200, 401, 407, 421, 503])
def test_no_other_header_makes_it_ask_elsewhere(door: str, status: int, world: World) -> None:
    headers = {name: world.fill(value) for name, value in guard_corpus_redirects.HEADERS.items()}
    world.answers["/start"] = status, headers
    seen, evidence = enter(door, world.fill(f"http://{ALLOWED}:{{port}}/start"))
    assert seen.status == status
    assert set(world.asked) == {"/start"}
    assert_nothing_forbidden(world, evidence)


class Changing(Names):
    """Names of which one has another answer each time it is asked for; the last answer stays."""

    def __init__(self, answers: Sequence[Sequence[str]]) -> None:
        super().__init__(names())
        self.answers = list(answers)

    def get(self, host: str, default: object = None) -> Sequence[str] | None:  # type: ignore[override]
        if host != "changing.test":
            return super().get(host, default)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


MIXED = {
    "an allowed and a forbidden address": [ALLOWED, "127.0.0.1"],
    "a forbidden and an allowed address": ["127.0.0.1", ALLOWED],
    "both families": ["::1", ALLOWED, "127.0.0.1"],
    "a mapped and an allowed address": ["::ffff:127.0.0.1", ALLOWED],
    "metadata and an allowed address": ["169.254.169.254", ALLOWED],
    "one address many times": [ALLOWED, *["127.0.0.1"] * 20],
}
through_every_door_that_follows = pytest.mark.parametrize("door", [door for door in DOORS if door != "webhook"])


@through_every_door_that_follows
@pytest.mark.parametrize("answer", MIXED.values(), ids=MIXED)
def test_of_several_addresses_only_the_allowed_one_is_used(door: str, answer: list[str], world: World) -> None:
    url = world.fill("http://changing.test:{port}/")
    for _ in range(3):
        seen, evidence = enter(door, url, Changing([answer]))
        assert seen.status == 200 or re.search(guard_corpus.SPECIAL, seen.error), seen.error
        assert_nothing_forbidden(world, evidence)


@through_every_door
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"])
def test_a_name_that_is_rebound_during_redirects_is_refused(door: str, address: str, world: World) -> None:
    """The first look-up gives the allowed address, which answers with a redirect to the same name."""
    world.answers["/start"] = 307, {"Location": "/next"}
    seen, evidence = enter(door, world.fill("http://changing.test:{port}/start"), Changing([[ALLOWED], [address]]))
    if door != "webhook":
        assert re.search(guard_corpus.SPECIAL, seen.error), seen.error
        assert world.asked == ["/start"]
        assert len(evidence.sockets) == 1
    assert_nothing_forbidden(world, evidence)


@pytest.mark.parametrize("door", ["test_url", "test_urls", "url.test"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254"])
def test_a_name_that_is_rebound_between_attempts_is_refused(door: str, address: str, world: World) -> None:
    """The first attempt is answered with an error of the server, so that a second one follows."""
    world.answers["/"] = 503, {}
    answers = [[ALLOWED], [address], [ALLOWED]]
    seen, evidence = enter(door, world.fill("http://changing.test:{port}/"), Changing(answers))
    assert re.search(guard_corpus.SPECIAL, seen.error), seen.error
    assert world.asked == ["/"]
    assert len(evidence.sockets) == 1
    assert_nothing_forbidden(world, evidence)


@through_every_door
def test_a_refused_name_is_not_tried_again(door: str, world: World) -> None:
    seen, evidence = enter(door, world.fill("http://changing.test:{port}/"), Changing([["127.0.0.1"], [ALLOWED]]))
    assert "loopback" in seen.error
    assert (evidence.sockets, world.asked) == ([], [])
    assert_nothing_forbidden(world, evidence)
