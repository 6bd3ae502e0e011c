"""What a worker tells the person who watches it: one line each, on stderr."""

import contextlib
import sys
import traceback


def say(line: str) -> None:
    """Print a line at once. A terminal that is gone, or a full disk behind it, ends no worker."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def say_own_error(what_follows: str) -> None:
    """Tell of the exception that is being handled, which nobody foresaw, and what the worker does now."""
    say(f"rota worker: an error of its own; {what_follows}\n{traceback.format_exc()}")
