"""`make demo`: trains the sales example, makes its image, and runs that until Ctrl-C.

Where no container engine answers, or no base for an image can be had, it serves the same bundle without a container.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from flaskship import engine

SALES = Path(__file__).parent.parent / "examples" / "sales"
PORTS = range(8000, 8100)
SAMPLE = ("--sample", "online_sales.csv", "--target-column", "converted")
IMAGE = "flaskship-demo/sales"


def free_port() -> int:
    for port in PORTS:
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)) != 0:
                return port
    sys.exit(f"No free port from {PORTS.start} to {PORTS.stop - 1}. Give one: make demo PORT=9000")


def flaskship(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "flaskship", *arguments], cwd=SALES, check=False)


def main() -> None:
    subprocess.run([sys.executable, SALES / "train.py"], check=True)
    port = int(os.environ.get("PORT") or free_port())
    here = f"http://localhost:{port}"
    print("\nMaking its image, without Docker:", flush=True)
    built = flaskship("build", "sales.joblib", *SAMPLE, "-t", IMAGE).returncode == 0
    contained = built and engine.answers()
    how = "in a container" if contained else "from its bundle, since no container engine answers here"
    print(
        f"\nNow serving it, {how}, until Ctrl-C. Its page: {here}\n"
        "Once it serves, try\n"
        f"  curl '{here}/predict?age=45&new_user=0&total_pages_visited=5'\n"
        f"  curl {here}/predict_file -F file=@examples/sales/online_sales_unlabelled.csv\n",
        flush=True,
    )
    verb = ["run", IMAGE, "--attach"] if contained else ["serve", "sales.joblib", *SAMPLE]
    os.chdir(SALES)
    os.execv(sys.executable, [sys.executable, "-m", "flaskship", *verb, "--port", str(port)])


if __name__ == "__main__":
    main()
