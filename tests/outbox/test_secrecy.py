"""Secrecy: no crash leaves the memory of a process behind."""

import subprocess
import sys

ASK = """
import ctypes, resource
from sync_service.outbox.secrecy import forbid_core_dumps
dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
before = dumpable()
forbid_core_dumps()
print(before, dumpable(), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_process_that_forbade_it_can_not_be_dumped():
    run = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1", "0", "0", "0"]
