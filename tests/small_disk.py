"""A small disk of its own for a test, filled and emptied as it says."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FILLER = "filler"
_PIECE = 4096


@contextmanager
def mounted(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system in memory at `folder`, gone at the end. The test is skipped where none can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a small file system is mounted")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs root: a small file system is mounted, which is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def free_bytes(folder: Path) -> int:
    """Room that is left."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, leave_bytes: int = 0) -> None:
    """Somebody else's file takes all room but `leave_bytes`."""
    with (folder / FILLER).open("ab", buffering=0) as file:
        while (more := free_bytes(folder) - leave_bytes) >= _PIECE:
            try:
                file.write(bytes(min(more, 1024 * 1024)))
            except OSError:  # the last piece did not fit as a whole
                return


def empty(folder: Path) -> None:
    """It is gone."""
    (folder / FILLER).unlink(missing_ok=True)
