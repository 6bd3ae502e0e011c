"""A simulated machine with a worker: the real agent in a process that can be killed, beside a simulated shepherd."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rota.protocol.ids import WorkerId
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Unauthenticated
from rota.worker.agent import Agent, Neighbours, ShepherdReplaced
from rota.worker.credential import Credential, Kept
from rota.worker.gateway import Gateway
from rota.worker.options import WorkerOptions
from rota.worker.registry import Registry
from rota.worker.room import Room
from rota.worker.spool import Spool
from rota.worker.starts import next_incarnation
from rota.world import World
from simulation.credentials import AGE_S, enrolled
from simulation.disk import Folder
from simulation.doors import SimulatedCalls
from simulation.driver import Driver
from simulation.network import Network
from simulation.process import Clock, Process
from simulation.services import Terms
from simulation.shepherd import SOCKET_S, Shepherds, SimulatedLink
from simulation.watch import Watch

CALL_TIMEOUT_S = 5.0
OPTIONS = WorkerOptions(
    server_url="sim://registry", token=None, name="", slots=1, labels={}, work_dir=Path(), status_timeout_s=3,
    wait_s=10, call_timeout_s=CALL_TIMEOUT_S, backoff_s_max=4, farewell_s=2, stop_margin_s=0.5,
)  # fmt: skip


class SimulatedRoom(Room):
    """Looks at the simulated disk."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def is_there(self) -> bool:
        return not self._folder.is_full


class Machine:
    """Its folder, its clock and its shepherd outlive the agent."""

    def __init__(
        self, name: str, slots: int, make: Callable[[str, str], Process], network: Network, watch: Watch,
        driver: Driver, clock: Clock, root: Path, terms: Terms, seed: str,
    ) -> None:  # fmt: skip
        self.name = name
        self.folder = Folder(root / name, random.Random(f"{seed} disk"))  # noqa: S311  (a seeded simulation)
        self.shepherds = Shepherds(name, self.folder, driver, clock, watch, f"{seed} shepherd")
        self.process: Process | None = None
        self.agent: Agent | None = None
        self.kept: Callable[[], Kept] | None = None
        """Its credential; None: nobody asks for any."""
        self.issuer: World | None = None
        self._make, self._network, self._watch, self._driver, self._terms = make, network, watch, driver, terms
        self._options = replace(OPTIONS, name=name, slots=slots, work_dir=self.folder.root)
        self._facts = WorkerFacts(WorkerId(f"id-{name}"), "default", name, {}, ["process"], slots)

    def start(self) -> None:
        """A new agent, unless there is one."""
        if self.process is not None and self.process.is_alive:
            return
        process = self._make(self.name, self.name)
        self.process = process
        self._watch.shut_out.discard(self.name)
        process.begin(self._live(process))

    def enrol(self, issuer: World, worker: World) -> None:
        """As long ago as credentials of the beginning are old."""
        self.issuer = issuer
        kept = enrolled(self._facts, issuer, worker, self._terms.heartbeat_s, AGE_S)
        self.kept = lambda: kept

    def power_cut(self) -> None:
        """Agent, shepherd and jobs are gone, and what was not synced."""
        if self.process is not None:
            self.process.kill()
        self.shepherds.kill(with_jobs=True)
        self._watch.power_cut(self.name)
        self.folder.lose_unsynced(self.folder.root)

    @property
    def is_idle(self) -> bool:
        """Nothing runs here, and nothing waits to be reported."""
        return self.shepherds.is_idle and not any((self.folder.root / "spool").glob("*.json"))

    async def _live(self, process: Process) -> None:
        """As `rota.worker.daemon` puts it together, without enrolment."""
        world = process.world
        link = SimulatedLink(process, self.shepherds)
        process.on_death.append(lambda: self._part(link))
        sync = partial(self.folder.sync, may_die=process.may_die)
        sync_small = partial(sync, is_small=True)
        calls = SimulatedCalls(
            process, self._network, self._facts, next_incarnation(self.folder.root, world, sync_small), self._watch
        )
        gateway = Gateway(calls, "sim://gateway", CALL_TIMEOUT_S)
        registry = Registry(calls, "sim://registry", CALL_TIMEOUT_S)
        spool = Spool(self.folder.root, sync)
        if self.kept is not None:
            self._show_credential(process, calls, registry)
        neighbours = Neighbours(gateway, registry, link, self._terms.heartbeat_s)
        agent = Agent(
            neighbours, spool, self._options, world, lambda work: process.begin(self._or_start_over(process, work))
        )
        agent._loop._room = SimulatedRoom(self.folder)  # noqa: SLF001  (whose disk it looks at is nobody else's to know)
        self.agent = agent
        ended = await agent.take_up()
        try:
            await agent.introduce()
        except Unauthenticated:
            self._enrol_anew(process)
            return
        await agent.work(ended)
        await agent.leave()
        process.loop.call_later(SOCKET_S, process.kill)  # it ends by itself

    def _show_credential(self, process: Process, calls: SimulatedCalls, registry: Registry) -> None:
        """Renewed while it is good; without a good one a person enrols the worker anew."""
        assert self.kept is not None
        refused = asyncio.Event()
        credential = Credential(self.kept(), self.folder.root, registry, process.world, refused.set)
        self.kept = lambda: credential.kept
        calls.authorization, calls.renew = credential.header, credential.after_401
        process.begin(credential.keep_fresh())
        process.begin(self._when_refused(process, refused))

    async def _when_refused(self, process: Process, refused: asyncio.Event) -> None:
        await refused.wait()
        self._enrol_anew(process)

    def _enrol_anew(self, process: Process) -> None:
        self._watch.turned_away(self.name)
        assert self.issuer is not None
        fresh = enrolled(self._facts, self.issuer, process.world, self._terms.heartbeat_s, 0.0)
        self.kept = lambda: fresh
        process.kill()

    async def _or_start_over(self, process: Process, work: Coroutine[Any, Any, None]) -> None:
        """As the daemon does where the shepherd's jobs were lost with it: a new agent, as a new incarnation."""
        try:
            await work
        except ShepherdReplaced:
            process.kill()
            self._driver.after(SOCKET_S, self.start)

    def _part(self, link: SimulatedLink) -> None:
        self.agent = None
        self._driver.after(SOCKET_S, self._closed, link)

    def _closed(self, link: SimulatedLink) -> None:
        if self.shepherds.present is not None:
            self.shepherds.present.part(link)
