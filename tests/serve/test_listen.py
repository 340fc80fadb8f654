from __future__ import annotations

import socket

import pytest

from flaskship.errors import UsageError
from flaskship.serve.listen import listen, url


def test_port_0_takes_a_free_one():
    with listen("127.0.0.1", 0)[0] as listener:
        assert url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_on_every_network_is_reached_on_this_machine():
    with listen("0.0.0.0", 0)[0] as listener:
        assert url(listener).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
def test_an_ipv6_address_is_bracketed():
    with listen("::1", 0)[0] as listener:
        assert url(listener).startswith("http://[::1]:")


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("no such host", 8000, "No address for host 'no such host'. Use 127.0.0.1"),
        ("192.0.2.1", 8000, "'192.0.2.1' is no address of this machine."),
        ("127.0.0.1", 70000, "70000 is no port."),
    ],
)
def test_an_address_that_cannot_be_had_is_said_with_what_to_do(host, port, message):
    with pytest.raises(UsageError, match=message):
        listen(host, port)


def test_a_taken_port_is_said_with_what_to_do():
    with listen("127.0.0.1", 0)[0] as listener, pytest.raises(UsageError, match=r"is taken.*--port 0"):
        listen("127.0.0.1", listener.getsockname()[1])


def test_a_privileged_port_is_said_with_what_to_do(monkeypatch):
    def bind(self, address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(UsageError, match=r"Port 80 of '127.0.0.1' needs root's rights"):
        listen("127.0.0.1", 80)
