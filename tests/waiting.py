"""Waiting in tests for what happens in another process: the one place where a test may sleep.

Within one process wait for an event, or let the simulated clock run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

STEP_S = 0.02


def until(what: Callable[[], T], within_s: float = 10, why: str = "") -> T:
    """The first answer of `what` that is true. Raises AssertionError where there is none within `within_s` seconds."""
    end = time.monotonic() + within_s
    while not (answer := what()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s: {why or what}")
        time.sleep(STEP_S)
    return answer


def asleep(pid: int) -> bool:
    """Whether the process waits in the kernel. A signal that comes right before a blocking call is seen after it."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].startswith("S")


async def until_true(what: Callable[[], Awaitable[T]], within_s: float = 10, why: str = "") -> T:
    """The same where the question is asked with await."""
    end = time.monotonic() + within_s
    while not (answer := await what()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s: {why or what}")
        await asyncio.sleep(STEP_S)
    return answer
