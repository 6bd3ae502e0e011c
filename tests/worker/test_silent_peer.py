"""A peer that is gone without a word: no FIN, no RST. No loop of the worker waits for it for ever.

Source: guarantees.md, F21; actions/runner#4703; linkerd/linkerd2#13023.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from silent_wire import SilentWire
from worker import rig
from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess

WAIT_S, CALL_S = 0.2, 1.0
ANSWER_MARGIN_S = 1.0
"""By how much a held getJob may be late; ten times as much where nobody hurries."""
HURRIED = f"""
import rota.worker.gateway
rota.worker.gateway.ANSWER_MARGIN_S = {ANSWER_MARGIN_S}
"""


@pytest.fixture
def wire(server: FakeServer) -> Iterator[SilentWire]:
    """Between worker and server: the server says that it is there."""
    with SilentWire(int(server.url.rpartition(":")[2])) as made:
        server.url = made.url
        yield made


@pytest.fixture
def worker(make_worker: MakeWorker, wire: SilentWire, monkeypatch: pytest.MonkeyPatch) -> WorkerProcess:
    monkeypatch.setattr(rig, "MAIN", HURRIED + rig.MAIN)
    return make_worker(wait_s=WAIT_S, call_timeout_s=CALL_S, status_timeout_s=CALL_S).start()


def falls_silent(server: FakeServer, wire: SilentWire, name: str) -> list[int]:
    """The connection forgets its ends while the first message of that name is on it."""
    was: list[int] = []

    async def forget(_request: Any, _body: Any) -> None:  # noqa: ANN401
        if not was:
            was.append(1)
            wire.forget()

    server.override[name] = forget
    return was


async def test_a_question_that_is_never_answered_is_asked_again(
    server: FakeServer, wire: SilentWire, worker: WorkerProcess
) -> None:
    await server.until(lambda: server.named("get-job"))
    asked = len(server.named("get-job"))
    was = falls_silent(server, wire, "get-job")
    await server.until(lambda: was)

    await server.until(lambda: len(server.named("get-job")) > asked + 1, WAIT_S + ANSWER_MARGIN_S + 3)

    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0


@pytest.mark.parametrize(("message", "lasts_s"), [("heartbeat", 2), ("upload", 0), ("job-finished", 0)])
async def test_what_was_said_into_the_silence_is_said_again_on_another_connection(
    server: FakeServer, wire: SilentWire, worker: WorkerProcess, message: str, lasts_s: int
) -> None:
    server.lease_s, server.heartbeat_s = 4, 0.4
    was = falls_silent(server, wire, message)
    attempt = server.offer(script=f"head -c 200000 /dev/zero > big; sleep {lasts_s}", artifacts=["big"])

    report = await server.report(attempt, within_s=CALL_S + 15)
    await server.until(lambda: server.named("status")[-1].body["status"] == "ready_for_work")

    assert was
    assert (report["result"]["reason"], report["result"]["exit_code"]) == ("exited", 0)
    assert len(server.uploads[attempt, "big"]) == 200_000
