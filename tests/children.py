"""The processes that a process has started, as the operating system knows them."""

from contextlib import suppress
from pathlib import Path


def children_of(parent: int) -> list[int]:
    """The ids of a process's children, those that ended and were not waited for left out."""
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            _, _, fields = status.read_text().rpartition(")")  # a name may hold blanks
            state, its_parent, *_ = fields.split()
            if int(its_parent) == parent and state != "Z":
                children.append(int(status.parent.name))
    return children
