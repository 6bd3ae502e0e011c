"""The processes of the chaos: started, killed with -9 and started again at once, stopped for a while and let go on."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime_ns
from typing import NamedTuple

from house import environment_of_tests


class Span(NamedTuple):
    """From when to when (CLOCK_BOOTTIME, ns) something was so with a worker; `until_ns` None: still."""

    since_ns: int
    until_ns: int | None


def now_ns() -> int:
    """The ledger's clock."""
    return clock_gettime_ns(CLOCK_BOOTTIME)


class Participant:
    """One process that is started again whenever it is killed. `ends` are those that nobody here caused."""

    def __init__(self, name: str, words: Sequence[str], log: Path, **variables: str) -> None:
        self.name = name
        self.ends: list[int] = []
        self._command = [sys.executable, "-m", "rota", *words]
        self._log, self._variables = log, variables
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Start it, and do not wait for it."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment_of_tests(**self._variables),
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def look(self) -> None:
        """Start it again where it has ended by itself, and remember that."""
        code = self.process.poll()
        if code is not None:
            self.ends.append(code)
            self.start()

    def stop(self, within_s: float) -> int:
        """SIGTERM, twice where that takes long; its exit code."""
        for _ in range(2):
            self.process.terminate()
            try:
                return self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                continue
        self.kill()
        return self.process.returncode


class WorkerOfChaos(Participant):
    """An agent with its shepherd and its jobs."""

    def __init__(self, name: str, words: Sequence[str], folder: Path, **variables: str) -> None:
        self.work_dir = folder / name
        self.frozen: list[Span] = []
        self.unguarded: list[Span] = []
        self._stopped: list[int] = []
        more = ("--work-dir", str(self.work_dir), "--name", name)
        super().__init__(name, ["worker", *words, *more], folder / f"{name}.log", **variables)

    def shepherds(self) -> list[int]:
        """The ids of the shepherds of this work folder; one, but for a moment between two."""
        wanted = os.fsencode(self.work_dir)
        return [pid for pid in pids() if b"rota.worker.shepherd" in (line := command_line(pid)) and wanted in line]

    def kill_both(self) -> None:
        """SIGKILL to the shepherd and to the agent: the jobs run on unguarded until the next start."""
        self.unguarded.append(Span(now_ns(), None))
        for pid in self.shepherds():
            os.kill(pid, signal.SIGKILL)
        self.kill()

    def stop_agent(self) -> None:
        """SIGSTOP to the agent alone."""
        self._stop_all([self.process.pid])

    def freeze(self) -> None:
        """SIGSTOP to the agent, the shepherd and all jobs: what a frozen machine looks like."""
        self.frozen.append(Span(now_ns(), None))
        shepherds = self.shepherds()
        self._stop_all([self.process.pid, *shepherds])
        self._stop_all([child for pid in shepherds for child in descendants(pid)])

    def go_on(self) -> None:
        """SIGCONT to what was stopped and is still there."""
        if self.frozen and self.frozen[-1].until_ns is None:
            self.frozen[-1] = Span(self.frozen[-1].since_ns, now_ns())
        for pid in self._stopped:
            _signal(pid, signal.SIGCONT)
        self._stopped = []

    @property
    def is_stopped(self) -> bool:
        """Whether something of it stands still."""
        return bool(self._stopped)

    def _stop_all(self, found: Sequence[int]) -> None:
        for pid in found:
            _signal(pid, signal.SIGSTOP)
        self._stopped += found


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def pids() -> list[int]:
    """All processes of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def command_line(pid: int) -> bytes:
    """Its words; empty where it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def descendants(pid: int) -> list[int]:
    """Children, and their children."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return children + [below for child in children for below in descendants(child)]
