"""Files written below one folder and nowhere else, whatever their names or what lies there. Source: threats.md, T8.

Each part of a path is opened relative to the one before it and never through a link; a file is written under a
temporary name and takes its place at once, complete.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rota.protocol.paths import check_path
from rota.protocol.problems import Conflict

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FRESH_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
EXECUTABLE = 0o100


class Folder:
    """A folder, made where it is missing, held open."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.fd = root, os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.fd)

    @contextmanager
    def write(self, path: str, mode: int) -> Iterator[BinaryIO]:
        """A new file at `path` (checked), that is there once the block has ended without an exception.

        Of `mode` only whether it is executable is kept; no file becomes setuid by being fetched. Raises
        InvalidRequest where the path leads out, Conflict where a link or a file stands in its way.
        """
        *folders, name = check_path(path, "path").split("/")
        fd = self.descend(path, folders)
        partial = f".{secrets.token_hex(8)}.part"
        try:
            with os.fdopen(
                os.open(partial, FRESH_FILE, 0o777 if mode & EXECUTABLE else 0o666, dir_fd=fd), "w+b"
            ) as file:
                yield file
                file.flush()
            os.rename(partial, name, src_dir_fd=fd, dst_dir_fd=fd)
        except IsADirectoryError:
            raise Conflict(
                f"{self.root / path} is a folder already. Move it away, or fetch to another folder."
            ) from None
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=fd)
            os.close(fd)

    def descend(self, path: str, folders: list[str]) -> int:
        """The file descriptor of the innermost of `folders`, made on the way."""
        fd = os.dup(self.fd)
        for folder in folders:
            with suppress(FileExistsError):
                os.mkdir(folder, 0o777, dir_fd=fd)
            try:
                inner = os.open(folder, FOLDER, dir_fd=fd)
            except OSError as error:
                if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                    raise Conflict(
                        f"{self.root / path}: `{folder}` is a link or a file. Fetch to another folder."
                    ) from None
                raise
            finally:
                os.close(fd)
            fd = inner
        return fd
