"""The health check of a container, which has no curl: exits 0 when /readyz answers 200. Standard library only."""

import os
import socket
import sys

SECONDS = 2.5


def ready(port: int) -> bool:
    """True where the server on this port answers that it is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(32).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if ready(int(os.environ.get("FLASKSHIP_PORT") or os.environ.get("PORT") or 8000)) else 1)
