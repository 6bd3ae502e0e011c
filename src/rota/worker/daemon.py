"""`rota worker`: one work folder, one worker; starts agent and shepherd, obeys signals, says how it ended."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import uvloop

from rota import __version__
from rota.protocol.enrol import Enrol
from rota.protocol.problems import Problem, Unauthenticated
from rota.protocol.resources import counted
from rota.protocol.spec import PROCESS
from rota.worker.agent import Agent, Neighbours, ShepherdReplaced
from rota.worker.backoff import TRANSIENT, Backoff
from rota.worker.calls import Calls, NotUnderstood, explain
from rota.worker.credential import Credential, Kept, load, relocated, save
from rota.worker.gateway import Gateway
from rota.worker.link import Link, ShepherdGone
from rota.worker.options import WorkerOptions, WrongOption, check_url
from rota.worker.registry import Registry
from rota.worker.room import LOOK_S, Room
from rota.worker.say import say, say_own_error
from rota.worker.shepherd.door import lock
from rota.worker.spool import Spool
from rota.worker.starts import next_incarnation
from rota.world import SystemWorld, World

T = TypeVar("T")
_PR_SET_DUMPABLE = 4
LEFT, WRONG, REFUSED, FAILED = 0, 2, 4, 125
"""Exit codes: left in order; an option is wrong; the server does not want us; this machine or folder cannot do it."""


class Forgotten(Exception):
    """The environment does not know the kept credential, and there is a token to enrol anew with."""


class NotWanted(Exception):
    """The environment does not, or no longer, accept this worker. The text says what to do."""


def run(options: WorkerOptions) -> int:
    """Be a worker until told to stop. Blocks; returns the exit code. Must run in the main thread (signals)."""
    options = replace(options, work_dir=options.work_dir.absolute())
    try:
        check_url(options.server_url, insecure=options.insecure)
        options.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        locked = lock(options.work_dir)
    except WrongOption as error:
        say(f"rota worker: {error}")
        return WRONG
    except OSError as error:
        say(f"rota worker: {options.work_dir} cannot be used: {error.strerror}")
        return FAILED
    if locked is None:
        say(f"rota worker: another worker uses {options.work_dir}; give this one a --work-dir of its own")
        return FAILED
    _hide()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(options, SystemWorld()))
    finally:
        os.close(locked)


def _hide() -> None:
    """Jobs of the same user cannot read this process's memory or environment, which hold the credential.

    Source: threats.md, T15; tj-actions/changed-files#2463 (CVE-2025-30066).
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


async def _serve(options: WorkerOptions, world: World) -> int:
    """Work until told to stop. After an error of its own it starts over: what ran runs on, and is taken up."""
    signals = Signals()
    backoff = Backoff(world, first_s=1, max_s=options.backoff_s_max)
    is_forgotten = False
    while True:
        anew, is_forgotten = is_forgotten, False
        try:
            return await _serve_once(options, world, signals, is_forgotten=anew)
        except Forgotten:
            say("the kept credential is no longer accepted; enrolling anew")
            is_forgotten = True
        except ShepherdReplaced:
            say("starting over, so that the server hears at once of what was lost")
        except NotWanted as error:
            say(f"rota worker: {error}")
            return REFUSED
        except (ShepherdGone, WrongOption) as error:
            say(f"rota worker: {error}")
            return FAILED
        except Exception:  # noqa: BLE001  (said, and started over: jobs that run must not lose their worker)
            say_own_error("it starts over")
            if not await signals.pass_by(_paused(backoff)):
                say("told to stop: what ran is taken up by the next start")
                return FAILED


async def _paused(backoff: Backoff) -> bool:
    await backoff.pause()
    return True


async def _serve_once(options: WorkerOptions, world: World, signals: "Signals", *, is_forgotten: bool) -> int:
    async with Calls(next_incarnation(options.work_dir, world)) as calls:
        kept = None if is_forgotten else load(options.work_dir)
        served = await signals.pass_by(_first_failure(_enrolled(options, kept, world, calls, signals)))
        return LEFT if served is None else served


class Signals:
    """SIGTERM, SIGINT: the first drains, the second stops the jobs. Without an agent, each ends what goes on."""

    def __init__(self) -> None:
        self._agent: Agent | None = None
        self._passing: asyncio.Task[Any] | None = None
        self._count = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)

    async def pass_by(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` gives; None where it was ended by a signal before it had an agent."""
        passing = asyncio.create_task(work)
        self._passing = passing
        try:
            return await passing
        except asyncio.CancelledError:
            return None
        finally:
            self._agent = None

    def obey(self, agent: Agent) -> None:
        """From now on it is this agent that is told; also what its predecessor was told."""
        self._agent = agent
        if self._count:
            agent.drain()

    def _on_signal(self) -> None:
        self._count += 1
        if self._agent is None:
            if self._passing is not None:
                self._passing.cancel()
        elif self._count == 1:
            self._agent.drain()
        else:
            self._agent.stop()


async def _first_failure(work: Coroutine[Any, Any, int]) -> int:
    """A group of tasks fails with its first failure: the others were cancelled because of it."""
    try:
        return await work
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _enrolled(options: WorkerOptions, kept: Kept | None, world: World, calls: Calls, signals: Signals) -> int:
    """Have a credential, then work with it. Raises Forgotten, NotWanted."""
    refused = asyncio.Event()
    is_fresh = kept is None
    kept = relocated(kept, options.server_url) if kept else await _enrol(options, world, calls)
    if not is_fresh:
        say_what_stays(kept, options)
    enrolled = kept.enrolled
    for url in (enrolled.registry_url, enrolled.gateway_url):
        check_url(url, insecure=options.insecure)
    registry = Registry(calls, enrolled.registry_url.rstrip("/"), options.call_timeout_s)
    gateway = Gateway(calls, enrolled.gateway_url.rstrip("/"), options.call_timeout_s)
    credential = Credential(kept, options.work_dir, registry, world, refused.set)
    calls.authorization, calls.renew = credential.header, credential.after_401
    async with asyncio.TaskGroup() as tasks:
        background: set[asyncio.Task[None]] = set()

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            task = tasks.create_task(work)
            background.add(task)
            task.add_done_callback(background.discard)

        link = Link(options.work_dir, options.shepherd_silent_s)
        neighbours = Neighbours(gateway, registry, link, enrolled.heartbeat_s)
        agent = Agent(neighbours, Spool(options.work_dir), options, world, spawn)
        ended = await agent.take_up()
        try:
            await agent.introduce()
        except Unauthenticated:
            if is_fresh or options.token is None:
                raise NotWanted(_no_longer(options)) from None
            raise Forgotten from None
        refused.clear()
        signals.obey(agent)
        say(
            f"worker {kept.name or options.name} enrolled in {enrolled.environment}; {options.slots} slots; "
            f"waiting for work at {gateway.url}"
        )
        spawn(credential.keep_fresh())
        working = tasks.create_task(agent.work(ended))
        refusing = tasks.create_task(refused.wait())
        await asyncio.wait({working, refusing}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise NotWanted(_no_longer(options))
        await agent.leave()
        for task in (*background, refusing):
            task.cancel()
    return LEFT


async def _enrol(options: WorkerOptions, world: World, calls: Calls) -> Kept:
    """Trade the token for a credential, however long the server is away. Raises NotWanted."""
    if options.token is None:
        raise NotWanted(
            f"no credential in {options.work_dir}, and no --token; make one with `rota env token` and pass it once"
        )
    token = f"Bearer {options.token}"
    calls.authorization, calls.renew = (lambda: token), None
    registry = Registry(calls, options.server_url.rstrip("/"), options.call_timeout_s)
    offered = dict(options.resources)
    request = Enrol(options.name, options.labels, options.slots, [PROCESS], __version__, offered)
    backoff = Backoff(world, max_s=options.backoff_s_max)
    room = Room(options.work_dir, options.disk_free_bytes_min)
    while not room.is_there():  # a token may be good for one use only: its credential must find a place
        await world.sleep(LOOK_S)
    while True:
        try:
            enrolled = await registry.enrol(request)
        except Unauthenticated:
            raise NotWanted("the enrolment token is unknown, expired, used up or revoked; ask for a new one") from None
        except NotUnderstood as error:
            raise NotWanted(f"{error}, which this worker does not know; upgrade it, and ask for a new token") from None
        except Problem as problem:
            if not isinstance(problem, TRANSIENT) or problem.status == 403:  # noqa: PLR2004  (forbidden)
                raise NotWanted(f"the server does not enrol this worker: {explain(problem)}") from None
            if backoff.failures == 0:
                say(f"{options.server_url} does not enrol this worker now ({explain(problem)}); trying until it does")
            await backoff.pause(problem)
        else:
            now_s = world.now().timestamp()
            kept = Kept(options.server_url, options.labels, enrolled, now_s, options.name, options.slots, offered)
            save(options.work_dir, kept)
            return kept


def say_what_stays(kept: Kept, options: WorkerOptions) -> None:
    """What the registry was told at enrolment it goes on showing, whatever this start was told."""
    anew = "to change that, enrol it anew in another --work-dir"
    if kept.labels != options.labels:
        say(f"the labels are those that this worker enrolled with; {anew}")
    if kept.resources is None:
        say(f"it enrolled before resources were counted, and is given no job that asks for some; {anew}")
    elif counted(kept.resources) != counted(options.resources):
        say(f"the resources are those that this worker enrolled with, and not those of now; {anew}")
    if kept.name not in {None, options.name}:
        say(f"the name is {kept.name}, with which this worker enrolled, and not {options.name}; {anew}")
    if kept.slots not in {None, options.slots}:
        say(f"it takes {options.slots} jobs at once; `rota workers` shows the {kept.slots} of its enrolment; {anew}")


def _no_longer(options: WorkerOptions) -> str:
    return (
        "the environment no longer accepts this worker's credential (expired or revoked); "
        f"remove {options.work_dir}/credential.json and start it with a new --token"
    )
