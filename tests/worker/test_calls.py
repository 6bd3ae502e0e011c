"""What a call that got no answer says. Source: guarantees.md, F26."""

import asyncio
import socket

import pytest

from rota.protocol.problems import Unavailable
from rota.worker.calls import Calls


@pytest.mark.parametrize("is_there", [False, True], ids=["nobody listens", "nobody answers"])
async def test_who_gives_no_answer_asks_for_no_pause(*, is_there: bool) -> None:
    """Else every pause would be as long as a server's `Retry-After`, and none would grow."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not is_there:
            listener.close()
        async with Calls("one") as calls, asyncio.timeout(10):
            with pytest.raises(Unavailable) as told:
                await calls.send("GET", f"http://127.0.0.1:{port}/", 0.2)

    assert not told.value.retry_after_s
