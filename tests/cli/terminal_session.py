"""A command on a real terminal: a pseudo-terminal whose other end the test types at and reads."""

import os
import pty
import select
import sys
import time
from collections.abc import Mapping, Sequence

READ_SIZE_BYTES = 65536


class TerminalSession:
    """`rota …` with a terminal for stdin, stdout and stderr."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "rota", *arguments], dict(environ))  # noqa: S606

    def until(self, text: str, within_s: float = 15, times: int = 1) -> None:
        """Read until the text was shown so many times. Raises AssertionError where it is not."""
        end = time.monotonic() + within_s
        while self.shown.count(text) < times:
            assert time.monotonic() < end, f"not shown within {within_s} s: {text!r}; shown: {self.shown!r}"
            if not self.read(end - time.monotonic()):
                break
        assert self.shown.count(text) >= times, self.shown

    def type(self, keys: str) -> None:
        """As a person would; the character 3 is Ctrl-C."""
        os.write(self.fd, keys.encode())

    def ends(self, within_s: float = 15) -> int:
        """Read to the end; returns the exit code."""
        end = time.monotonic() + within_s
        while self.read(end - time.monotonic()):
            assert time.monotonic() < end, self.shown
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def read(self, within_s: float) -> bool:
        """More of what is shown; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, within_s))
        if not ready:
            return True
        try:
            piece = os.read(self.fd, READ_SIZE_BYTES)
        except OSError:  # EIO: the other end is closed
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)
