"""What a worker tells the person who watches it: one line each, on stderr."""

import contextlib
import sys
import traceback
from types import TracebackType


def say(line: str) -> None:
    """Print a line at once. A terminal that is gone, or a full disk behind it, ends no worker."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def say_own_error(what_follows: str) -> None:
    """Tell of the exception that is being handled, which nobody foresaw, and what the worker does now."""
    say(f"rota worker: an error of its own; {what_follows}\n{traceback.format_exc()}")


class Survived:
    """What one job left must not end the others' worker: an error raised inside is told, and goes no further.

    The daemon's own fence lets the whole worker start over; this one costs a step of one attempt.
    """

    def __init__(self, what_follows: str) -> None:
        self._what_follows = what_follows

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False  # none, or a cancellation
        say_own_error(self._what_follows)
        return True
