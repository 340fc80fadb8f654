"""The sockets that requests come in on, opened before anything is loaded."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

from flaskship.errors import UsageError

BACKLOG = 1024  # connections that the kernel keeps while nobody accepts; it may allow fewer
BALANCED = sys.platform == "linux"  # elsewhere one of several sockets of an address gets all connections
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # where a server on all addresses is reached


def listen(host: str, port: int, count: int = 1) -> list[socket.socket]:
    """A listening socket for each of `count` processes; port 0 takes a free one.

    Raises `UsageError` where that address cannot be had.

    With one socket each, the kernel spreads connections evenly. From a shared one the process that happens to be awake
    takes them all: of 32 that were opened at once, one of two workers was seen to get 30, which halves the rate.
    """
    if not 0 <= port <= 65535:  # getaddrinfo would take it modulo 65536
        raise UsageError(f"{port} is no port. Choose one from 1 to 65535, or 0 for any that is free.")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with bound(
            family, address, shared=False
        ) as probe:  # shared ones are granted though another server has the port
            address = probe.getsockname()
        listeners = [bound(family, address, shared=BALANCED)] * count
        if BALANCED:
            listeners[1:] = [again(listeners[0]) for _ in listeners[1:]]
        for listener in listeners:
            listener.listen(BACKLOG)
    except OSError as error:
        raise UsageError(_why(error, host, port)) from error
    return listeners


def again(listener: socket.socket) -> socket.socket:
    """A further socket of the same address, to which connections are given once it listens."""
    return bound(listener.family, listener.getsockname(), shared=True)


def bound(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        listener.bind(address)
    except BaseException:  # whatever it is goes on up: the socket is closed first
        listener.close()
        raise
    return listener


def url(listener: socket.socket) -> str:
    """Where the socket is reached from this machine: `http://127.0.0.1:8000`."""
    host, port = listener.getsockname()[:2]
    host = ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"No address for host {host!r}. Use 127.0.0.1 (this machine only) or 0.0.0.0 (every network)."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host!r} is taken. Stop what uses it, or choose another: --port 0 takes a free one."
    if error.errno == errno.EACCES:
        return f"Port {port} of {host!r} needs root's rights. Use one from 1024 up: --port 8000."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host!r} is no address of this machine. Use 127.0.0.1 (it only) or 0.0.0.0 (every network)."
    return f"Cannot listen on {host!r}, port {port}: {error}."
