from __future__ import annotations

import subprocess
import sys

import pytest

ORPHAN = """
import ctypes, os
from flaskship.serve.supervisor import reap_orphans

PR_SET_CHILD_SUBREAPER = 36  # orphans come to this process, as they do to process 1 of a container
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
child = os.fork()
if child == 0:
    os.fork()
    os._exit(0)
os.waitpid(child, 0)
orphan = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid
reap_orphans([orphan])
print(os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG).si_pid == orphan)
reap_orphans([])
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none left")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans come to process 1 only, or to a subreaper of Linux")
def test_orphans_are_reaped_and_own_children_are_left():
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("True\nnone left\n", "")
