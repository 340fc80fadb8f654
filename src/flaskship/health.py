"""The health check of a container, which has no curl: exits 0 when /readyz answers 200. Standard library only.

And what the server's processes and its routes know of health by the same names.
"""

import os
import socket
import sys

SECONDS = 2.5
LIVE = ("/livez", "/v2/health/live")  # paths: 200 while the process lives
READY = ("/readyz", "/healthz", "/health", "/ping")  # 200 while requests are answered
STARTING = "starting"  # a file in the directory that a server's processes share: one of them cannot answer yet
DRAINING = "draining"  # another: the server is about to stop


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
