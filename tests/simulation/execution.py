"""What a simulated job does: for how long, with which log and artifacts, and how it takes a SIGTERM."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from rota.worker.shepherd.messages import LEASE, Ended, Start
from simulation.driver import Driver, Step


class Plan(msgspec.Struct, frozen=True):
    """It travels in the job's command line, as a real job's does."""

    duration_s: float
    exit_code: int = 0
    log_pieces: list[int] = []
    """Sizes; written at even distances, the last one at the end."""
    artifacts: list[int] = []
    input_size_bytes: int = 0
    obeys_s: float | None = 0.01
    """How long it takes to obey a SIGTERM; None: it does not."""

    def command(self) -> list[str]:
        """As submitted."""
        return ["simulated", msgspec.json.encode(self).decode()]

    @classmethod
    def of(cls, argv: list[bytes]) -> Self:
        """As started."""
        return msgspec.json.decode(argv[1], type=cls)


def content(attempt: str, what: str, size_bytes: int) -> bytes:
    """Bytes that no other attempt writes."""
    word = f"{attempt}/{what} ".encode()
    return (word * (size_bytes // len(word) + 1))[:size_bytes]


def log_of(attempt: str, plan: Plan) -> bytes:
    """The whole log of an attempt that ran to its end."""
    return b"".join(content(attempt, f"log{index}", size) for index, size in enumerate(plan.log_pieces))


def artifacts_of(attempt: str, plan: Plan) -> dict[str, bytes]:
    """Likewise its artifacts."""
    return {f"out/{index}": content(attempt, f"out{index}", size) for index, size in enumerate(plan.artifacts)}


def input_of(plan: Plan) -> bytes:
    """What is put into its folder before it starts."""
    return content("input", "", plan.input_size_bytes)


class Execution:
    """A job's processes, from the first to the last. `over` is told when none is left."""

    def __init__(self, start: Start, driver: Driver, began_wall: float, is_full: Callable[[], bool]) -> None:
        self.start = start
        self.job_id = start.environment[b"ROTA_JOB_ID"].decode()
        self.plan = Plan.of(start.argv)
        self._driver, self._is_full = driver, is_full
        self.log_problem: str | None = None
        self.artifacts: dict[str, bytes] = {}
        self.began_at, self.began_wall = driver.now, began_wall
        self.deadline = start.deadline
        self.log_size_bytes = 0
        self.stopped_as: str | None = None
        self.exit_code: int | None = None
        self.signal: str | None = None
        self.is_over = self.is_frozen = False
        self.steps: list[Step] = []
        self._folder = Path(start.folder)

    @property
    def left_s(self) -> float:
        """How long it goes on by itself."""
        return self.began_at + self.plan.duration_s - self._driver.now

    def has_its_input(self) -> bool:
        """Whether the file that it was submitted with is there, whole."""
        file = self._folder / "work" / "in"
        return (file.read_bytes() if file.exists() else b"") == input_of(self.plan)

    def write_log(self, index: int) -> None:
        """The next piece. What comes after a gap is not written either."""
        if self.log_problem is not None or self._is_full():
            self.log_problem = "cut: no space left on the device"
            return
        piece = content(self.start.attempt_id, f"log{index}", self.plan.log_pieces[index])
        with (self._folder / "log").open("ab") as file:
            file.write(piece)
        self.log_size_bytes += len(piece)

    def write_artifacts(self) -> bool:
        """All of them, at the end. False: there is no room for any."""
        if self._is_full():
            return False
        self.artifacts = artifacts_of(self.start.attempt_id, self.plan)
        for path, inside in self.artifacts.items():
            file = self._folder / "work" / path
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(inside)
        return True

    def end(self) -> None:
        """Nothing of it is left."""
        self.is_over = True
        for step in self.steps:
            step.cancel()

    def told(self, now: float, wall: float) -> Ended:
        """As the shepherd tells it."""
        reason = self.stopped_as or ("exited" if self.signal is None else "signaled")
        return Ended(
            attempt_id=self.start.attempt_id, note=self.start.note, reason=reason, message=None,
            exit_code=self.exit_code, signal=self.signal, started_at=self.began_wall, finished_at=wall,
            wall_s=now - self.began_at, user_s=0, system_s=0, max_rss_bytes=0, log_size_bytes=self.log_size_bytes,
            log_problem=self.log_problem,
        )  # fmt: skip

    @property
    def is_unwanted(self) -> bool:
        """Whether nobody waits for its result."""
        return self.stopped_as == LEASE
