"""Keeping what is in memory out of files: the store's key, and an answer before it is sealed."""

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # of <linux/prctl.h>


def forbid_core_dumps() -> None:
    """See that no crash of this process leaves its memory behind. Call it before any key is read.

    The limit alone would not do: a core that is piped to a handler is not bound by it. A process
    that is not dumpable can't be traced by another process of its user either.

    Raises:
        OSError: the system refuses; don't go on.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl: {os.strerror(ctypes.get_errno())}")
