"""What a worker tells the person who watches it: one line each, on stderr."""

import contextlib
import sys


def say(line: str) -> None:
    """Print a line at once. A terminal that is gone, or a full disk behind it, ends no worker."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
