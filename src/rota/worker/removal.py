"""Removing a folder that a job made: however deep, locked or large, never through a link. Source: guarantees.md, F45.

Every step is made from an open folder, so that no path is too long; and what lies too deep is moved up to the top
first, so that neither the stack nor the open files grow with what a job nested.
"""

import os
import stat
import uuid
from pathlib import Path

DEPTH_MAX = 64
_OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_all(folder: Path) -> None:
    """Gone with all that is in it; a link in its place is itself removed. Blocks. Raises OSError."""
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        folder.unlink()
        return
    parent = os.open(folder.parent, _OPENED)
    try:
        top = _enter(folder.name, parent)
    finally:
        os.close(parent)
    try:
        while names := os.listdir(top):  # noqa: PTH208  (an open folder)
            for name in names:
                _remove(name, top, top, DEPTH_MAX)
    finally:
        os.close(top)
    folder.rmdir()


def _remove(name: str, here: int, top: int, depth_left: int) -> None:
    if not stat.S_ISDIR(os.lstat(name, dir_fd=here).st_mode):
        os.unlink(name, dir_fd=here)
        return
    entered = _enter(name, here)
    try:
        if depth_left == 0:
            os.rename(name, f".{uuid.uuid4()}", src_dir_fd=here, dst_dir_fd=top)
            return
        for inner in os.listdir(entered):  # noqa: PTH208  (as above)
            _remove(inner, entered, top, depth_left - 1)
    finally:
        os.close(entered)
    os.rmdir(name, dir_fd=here)


def _enter(name: str, here: int) -> int:
    """The folder, opened, and ours to empty: also one that a job locked (`chmod 000`)."""
    named = os.open(name, _NAMED, dir_fd=here)
    try:
        if os.fstat(named).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{named}", stat.S_IRWXU)  # noqa: PTH101  (this very folder, whatever its name leads to now)
        return os.open(".", _OPENED, dir_fd=named)
    finally:
        os.close(named)
