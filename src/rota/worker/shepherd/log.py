"""A job's log: stdout and stderr through one pipe into one file, in the order written, up to a limit.

Past the limit, and where the disk is full, the pipe is read on and dropped, so that the job never stands still.
"""

import contextlib
import errno
import fcntl
import os

PIECE_SIZE_BYTES = 256 * 1024
PIPE_SIZE_BYTES = 1024 * 1024
_PAGE_SIZE_BYTES = 4096
_F_SETPIPE_SZ = 1031


class Log:
    """The reading end of a job's output, and its file, which is made at the first byte."""

    def __init__(self, path: str, reading_end: int, size_bytes_max: int) -> None:
        self.reading_end = reading_end
        self.size_bytes = 0
        self.is_ended = False
        self.problem: str | None = None
        self._path = path
        self._left_bytes = size_bytes_max
        self._size_bytes_max = size_bytes_max
        self._file: int | None = None
        self._is_grown = False

    def take(self) -> bool:
        """Move one piece from the pipe to the file. False: nothing there now, or (then `is_ended`) nothing more."""
        try:
            piece = os.read(self.reading_end, PIECE_SIZE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            self.is_ended = True
            return False
        self._widen(len(piece))
        self._keep(piece)
        return True

    def drain(self) -> None:
        """Take what is there now: at most a pipe full, so that a writer who does not stop holds nothing up."""
        for _ in range(1 + PIPE_SIZE_BYTES // _PAGE_SIZE_BYTES):
            if not self.take():
                return

    def close(self) -> None:
        """No byte more."""
        os.close(self.reading_end)
        if self._file is not None:
            os.close(self._file)

    def _keep(self, piece: bytes) -> None:
        if self.problem is not None:
            return
        whole = len(piece) <= self._left_bytes
        self._write(piece if whole else piece[: self._left_bytes])
        self._left_bytes -= len(piece)
        if not whole and self.problem is None:
            self._write(b"\n[rota: log cut after %d bytes; the job goes on]\n" % self._size_bytes_max)
            self.problem = f"cut after {self._size_bytes_max} bytes, the worker's limit"

    def _write(self, piece: bytes) -> None:
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self._path, flags, 0o600)
            written = 0
            while written < len(piece):
                step = os.write(self._file, memoryview(piece)[written:])
                written += step
                self.size_bytes += step
        except OSError as error:
            # A full disk, an I/O error, a folder that the job moved away: the log ends here, the job does not.
            self.problem = f"cut after {self.size_bytes} bytes: {os.strerror(error.errno or errno.EIO)}"

    def _widen(self, size_bytes: int) -> None:
        """A job that fills the pipe gets a larger one; most never need it."""
        if self._is_grown or size_bytes < _PAGE_SIZE_BYTES:
            return
        self._is_grown = True
        with contextlib.suppress(OSError):  # the user's share of pipe memory is used up: a small one will do
            fcntl.fcntl(self.reading_end, _F_SETPIPE_SZ, PIPE_SIZE_BYTES)
