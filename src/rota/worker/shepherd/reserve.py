"""Room that is kept in a file and given up once the disk is full: so that how a job ended can still be written down.

Source: guarantees.md, F34.
"""

import os
from pathlib import Path

SIZE_BYTES = 128 * 1024
_FILE = "reserve"


def is_kept(work_dir: Path) -> bool:
    """Whether it is there."""
    return (work_dir / _FILE).exists()


def keep(work_dir: Path) -> bool:
    """Fill it. False: there is no room for it."""
    try:
        file = os.open(work_dir / _FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.posix_fallocate(file, 0, SIZE_BYTES)
    except OSError:
        give_up(work_dir)
        return False
    finally:
        os.close(file)
    return True


def give_up(work_dir: Path) -> bool:
    """Let go of it. False: it was gone before, and there is no more room than there was."""
    try:
        (work_dir / _FILE).unlink()
    except OSError:
        return False
    return True


def write(path: Path, content: bytes, work_dir: Path) -> None:
    """A small file, at the reserve's cost where there is no room otherwise. Raises OSError."""
    try:
        path.write_bytes(content)
    except OSError:
        if not give_up(work_dir):
            raise
        path.write_bytes(content)
