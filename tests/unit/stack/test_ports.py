import socket
from pathlib import Path

import pytest

from coinrequest.stack.errors import StackError
from coinrequest.stack.layout import Layout
from coinrequest.stack.ports import HOST, Ports, choose_ports, is_free, kept_ports


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "stack")
    layout.create()
    return layout


def listen(port: int = 0) -> socket.socket:
    server = socket.socket()
    server.bind((HOST, port))
    server.listen()
    return server


def test_three_different_free_ports_are_chosen(layout: Layout) -> None:
    ports, notes = choose_ports(layout)
    assert len({ports.postgres, ports.redis, ports.web}) == 3
    assert all(is_free(port) for port in (ports.postgres, ports.redis, ports.web))
    assert notes == ()


def test_ports_stay_the_same(layout: Layout) -> None:
    first, _ = choose_ports(layout)
    second, notes = choose_ports(layout)
    assert second == first == kept_ports(layout)
    assert notes == ()


def test_a_kept_port_that_is_in_use_is_replaced_with_a_note(layout: Layout) -> None:
    first, _ = choose_ports(layout)
    with listen(first.web):
        second, notes = choose_ports(layout)
    assert second.web != first.web
    assert (second.postgres, second.redis) == (first.postgres, first.redis)
    assert len(notes) == 1
    assert str(first.web) in notes[0]


def test_a_requested_port_is_used_and_kept(layout: Layout) -> None:
    with listen() as server:
        wanted = server.getsockname()[1]
    ports, _ = choose_ports(layout, web=wanted)
    assert ports.web == wanted
    assert choose_ports(layout)[0].web == wanted


def test_a_requested_port_that_is_in_use_is_refused(layout: Layout) -> None:
    with listen() as server, pytest.raises(StackError, match="in use"):
        choose_ports(layout, web=server.getsockname()[1])


def test_a_stack_that_was_never_started_has_no_ports(layout: Layout) -> None:
    with pytest.raises(StackError, match="never started"):
        kept_ports(layout)


def test_ports_are_outside_the_range_of_outgoing_connections(layout: Layout) -> None:
    ports: Ports = choose_ports(layout)[0]
    assert max(ports.postgres, ports.redis, ports.web) < 32_768
