"""What sets up, does something and clears away, also where Ctrl-C or SIGTERM ends it: `rota demo`, `rota bench`."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from rota.cli.output import Output


async def to_its_end(deed: Coroutine[Any, Any, None], out: Output) -> int:
    """Do it; interrupted, it cleans up all the same. Returns the exit code."""
    loop = asyncio.get_running_loop()
    interrupted: list[signal.Signals] = []
    doing = asyncio.ensure_future(deed)

    def stop(number: signal.Signals) -> None:
        interrupted.append(number)
        doing.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await doing
    except asyncio.CancelledError:
        if not interrupted:
            raise
        out.say("  stopped; all of it is gone again")
        return 128 + interrupted[0]
    return 0
