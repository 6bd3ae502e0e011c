"""The shepherd's one loop: jobs, the agent, the clock. It runs on without an agent, until nothing is left to do."""

import contextlib
import os
import select
import socket
from pathlib import Path

from rota.worker.shepherd import reserve
from rota.worker.shepherd.door import Door
from rota.worker.shepherd.herd import Herd
from rota.worker.shepherd.job import now
from rota.worker.shepherd.messages import (
    Command,
    Ended,
    Event,
    Extend,
    Forget,
    Grown,
    Hello,
    Kill,
    Leave,
    Ping,
    Pong,
    Start,
    Stop,
    bodies,
    frame,
    read_commands,
)

ALONE_S_MAX = 60.0
"""How long it stays without an agent and without a job."""
GROWN_S = 0.1
"""The least time between two messages that logs have grown."""
REAP_S = 1.0
RECEIVE_SIZE_BYTES = 1024 * 1024
ENDED_FILE = "ended"
"""In a job's folder: its end, where no agent was there to be told."""


class Shepherd:
    """One agent at a time; the latest that connects, and may, is the one."""

    def __init__(self, listener: socket.socket, work_folder: Path) -> None:
        self._poll = select.epoll()
        self.herd = Herd(self._poll)
        self._folder = work_folder / "jobs"
        self._door = Door(work_folder)
        self._listener = listener
        self._listener.settimeout(0)
        self._poll.register(listener, select.EPOLLIN)
        self._agent: socket.socket | None = None
        self._received = bytearray()
        self._unsent = bytearray()
        self._untold: list[Event] = []
        self._told: set[str] = set()
        self._is_leaving = False
        self._is_reaped = True
        self._alone_since = now()
        self._grown_at = self._reaped_at = 0.0

    def run(self) -> None:
        """Until told to leave, or alone for too long; never while a job runs."""
        while not (self.herd.is_empty and (self._is_leaving or self._is_alone())):
            for fd, _ in self._poll.poll(self._sleep_s()):
                if fd == self._listener.fileno():
                    self._welcome()
                elif self._agent is not None and fd == self._agent.fileno():
                    self._converse()
                else:
                    self.herd.on_ready(fd)
            self.herd.sound_alarms()
            self.herd.finish_ending()
            self._reap()
            self._tell()

    def _sleep_s(self) -> float:
        sleep_s = self.herd.sleep_s()
        if not self._is_reaped and sleep_s < 0:
            sleep_s = REAP_S
        if self.herd.grown:
            sleep_s = min(GROWN_S, abs(sleep_s))
        if self._agent is None and sleep_s < 0:
            sleep_s = max(0.0, self._alone_since + ALONE_S_MAX - now())
        return sleep_s

    def _is_alone(self) -> bool:
        return self._agent is None and now() - self._alone_since >= ALONE_S_MAX

    def _welcome(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            agent, _ = self._listener.accept()
            if not self._door.may_enter(agent):
                agent.close()
                return
            self._part()
            agent.settimeout(0)
            self._agent = agent
            self._poll.register(agent, select.EPOLLIN)
            self._untold = [Hello(self.herd.running(), list(self.herd.ended.values()), os.getpid())]
            self._told.update(self.herd.ended)
            self.herd.grown.clear()

    def _part(self) -> None:
        """The agent is gone: what it was not told, the next one finds on disk."""
        if self._agent is None:
            return
        self._poll.unregister(self._agent)
        self._agent.close()
        self._agent = None
        self._alone_since = now()
        self._received.clear()
        self._unsent.clear()
        self._untold = []
        for end in self.herd.ended.values():
            self._write(end)

    def _converse(self) -> None:
        if self._agent is None:
            return
        try:
            piece = self._agent.recv(RECEIVE_SIZE_BYTES)
        except BlockingIOError:
            piece = None  # only its sending side woke us
        except ConnectionError:
            piece = b""
        if piece == b"":
            self._part()
            return
        self._received += piece or b""
        for body in bodies(self._received):
            for command in read_commands(body):
                self._obey(command)

    def _obey(self, command: Command) -> None:
        match command:
            case Start():
                self.herd.start(command)
            case Extend(attempts, deadline):
                self.herd.extend(attempts, deadline)
            case Stop(attempts):
                self.herd.stop(attempts)
            case Kill(attempts):
                self.herd.kill(attempts)
            case Forget(attempts):
                for attempt in attempts:
                    self.herd.ended.pop(attempt, None)
                    self._told.discard(attempt)
            case Leave():
                self._is_leaving = True
            case Ping():
                self._untold.append(Pong())

    def _reap(self) -> None:
        """Also once after the last job's end: one of its processes may have been dying when it was looked for."""
        if not self.herd.is_empty:
            self._is_reaped = False
        if not self._is_reaped and now() - self._reaped_at >= REAP_S:
            self._reaped_at = now()
            self._is_reaped = self.herd.is_empty
            self.herd.reap()

    def _tell(self) -> None:
        """Send what happened, as far as the socket takes it; an agent that hangs holds nothing up."""
        fresh = [end for attempt, end in self.herd.ended.items() if attempt not in self._told]
        self._told.update(end.attempt_id for end in fresh)
        if self._agent is None:
            self.herd.grown.clear()
            for end in fresh:
                self._write(end)
            return
        self._untold += fresh
        if self.herd.grown and now() - self._grown_at >= GROWN_S:
            self._grown_at = now()
            self._untold.append(Grown(dict(self.herd.grown)))
            self.herd.grown.clear()
        if self._untold:
            self._unsent += frame(self._untold)
            self._untold = []
        self._send()

    def _send(self) -> None:
        if self._agent is None or not self._unsent:
            return
        try:
            del self._unsent[: self._agent.send(self._unsent)]
        except BlockingIOError:
            pass  # the agent hangs
        except ConnectionError:
            self._part()
            return
        self._poll.modify(self._agent, select.EPOLLIN | (select.EPOLLOUT if self._unsent else 0))

    def _write(self, end: Ended) -> None:
        """Keep an end where the next agent finds it, should this process be gone by then."""
        with contextlib.suppress(OSError):  # a full disk: it stays in memory, as long as this process lives
            reserve.write(self._folder / end.attempt_id / ENDED_FILE, frame([end]), self._folder.parent)
