"""What an earlier agent left is kept until it is a report. Source: guarantees.md, F44; found by the simulation."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from rota.protocol.ids import JobId
from rota.protocol.job_finished import JobFinishedReceived
from rota.worker.agent import Agent, Neighbours
from rota.worker.held import Note
from rota.worker.link import ShepherdGone
from rota.worker.options import WorkerOptions
from rota.worker.shepherd.messages import Ended, Hello
from rota.worker.spool import Spool
from rota.world import SystemWorld

END = Ended(
    attempt_id="a", note=msgspec.msgpack.encode(Note(JobId("j"), [])), reason="exited", exit_code=3, signal=None,
    message=None, started_at=0, finished_at=1, wall_s=1, user_s=0, system_s=0, max_rss_bytes=0, log_size_bytes=0,
    log_problem=None,
)  # fmt: skip


class Link:
    """A shepherd that remembers an end, is killed, and is followed by one that knows of nothing."""

    def __init__(self) -> None:
        self.hellos = [Hello([], [END]), Hello([], [])]
        self.deaths, self.replaced = asyncio.Semaphore(1), asyncio.Event()

    async def connect(self) -> Hello:
        if len(self.hellos) == 1:
            asyncio.get_running_loop().call_soon(self.replaced.set)
        return self.hellos.pop(0)

    async def events(self) -> list[Any]:
        await self.deaths.acquire()
        raise ShepherdGone("killed")

    def forget(self, _: object) -> None: ...

    def kill(self, _: object) -> None: ...


class Gateway:
    """Takes a report; answers nothing else."""

    def __init__(self) -> None:
        self.reported: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def job_finished(self, finished: Any) -> JobFinishedReceived:  # noqa: ANN401  (a list of reports)
        self.reported.set_result(finished)
        return JobFinishedReceived([one.attempt_id for one in finished])

    async def get_job(self, _: object) -> None:
        await asyncio.Event().wait()

    async def heartbeat(self, *_: object, **__: object) -> None:
        await asyncio.Event().wait()

    async def status(self, *_: object) -> None:
        await asyncio.Event().wait()


async def test_an_end_that_waits_for_the_registry_outlives_the_shepherd_that_told_it(tmp_path: Path) -> None:
    link: Any = Link()
    other: Any = Gateway()
    tasks: list[asyncio.Task[None]] = []
    options = WorkerOptions("http://localhost", None, "w", 1, {}, tmp_path)
    agent = Agent(
        Neighbours(other, other, link, 1), Spool(tmp_path), options, SystemWorld(),
        lambda work: tasks.append(asyncio.create_task(work)),
    )  # fmt: skip
    ended = await agent.take_up()
    await link.replaced.wait()

    tasks.append(asyncio.create_task(agent.work(ended)))

    [report] = await asyncio.wait_for(other.reported, 5)
    assert (report.attempt_id, report.result.exit_code) == ("a", 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
