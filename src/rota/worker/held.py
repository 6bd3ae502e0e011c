"""The attempts that this worker answers for, and how many slots are free. Source: protocol.md, "status"."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from rota.protocol.get_job import Offer
from rota.protocol.ids import AttemptId, JobId


class Phase(Enum):
    """In the order in which an attempt meets them."""

    PREPARING = auto()  # acknowledged; its inputs are being fetched
    RUNNING = auto()  # with the shepherd
    REPORTING = auto()  # ended; not yet received by the gateway


class Note(msgspec.Struct, frozen=True, array_like=True):
    """What a later agent needs to know of a job that runs; the shepherd keeps it meanwhile."""

    job_id: JobId
    artifacts: list[str]
    keep_s: float = 0.0
    """How long it goes on when its lease is over (`lease_policy: keep`)."""


@dataclass
class Held:
    """One attempt. `deadline` is the local end of its lease, margin taken off (CLOCK_BOOTTIME)."""

    attempt_id: AttemptId
    note: Note
    deadline: float
    phase: Phase = Phase.PREPARING
    is_cancelled: bool = False

    @classmethod
    def of(cls, offer: Offer, deadline: float) -> "Held":
        """An offer that was acknowledged."""
        return cls(offer.attempt_id, Note(offer.job_id, list(offer.spec.artifacts), offer.spec.keep_s), deadline)

    @property
    def kill_at(self) -> float:
        """When it must be gone unless its lease is renewed: nobody else is given it before."""
        return self.deadline + self.note.keep_s


class HeldAttempts:
    """By attempt. A slot is free again when its attempt was reported and the registry was told."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[AttemptId, Held] = {}
        self._untold = 0
        self.changed = asyncio.Event()
        self.heard = asyncio.Event()
        """Set when there is somebody to send a heartbeat for, or sooner than thought."""

    def add(self, held: Iterable[Held]) -> None:
        """From now on in every heartbeat and status."""
        self._held.update((one.attempt_id, one) for one in held)
        self.heard.set()

    def get(self, attempt: AttemptId) -> Held | None:
        """None: not, or no longer, ours."""
        return self._held.get(attempt)

    def release(self, attempt: AttemptId) -> None:
        """Received or lost. Its slot stays taken until `told`."""
        if self._held.pop(attempt, None) is not None:
            self._untold += 1

    @property
    def untold(self) -> int:
        """How many were released of which the registry does not know."""
        return self._untold

    def told(self, count: int) -> None:
        """The registry knows of `count` of them, or could not be told: their slots are free."""
        self._untold -= count
        self.changed.set()

    def soonest_deadline(self, after: float) -> float:
        """The next end of a lease after that moment, of what is not over yet; infinite where there is none."""
        held = (one.deadline for one in self._held.values() if one.phase is not Phase.REPORTING)
        return min((deadline for deadline in held if deadline > after), default=float("inf"))

    @property
    def ids(self) -> list[AttemptId]:
        """All of them."""
        return list(self._held)

    @property
    def free_slots(self) -> int:
        """As told in a status."""
        return max(0, self._slots - len(self._held))

    @property
    def slots_to_ask_for(self) -> int:
        """As asked for in a getJob."""
        return max(0, self._slots - len(self._held) - self._untold)

    @property
    def is_empty(self) -> bool:
        """Nothing runs and nothing waits to be reported."""
        return not self._held and self._untold == 0

    def in_phase(self, phase: Phase) -> list[Held]:
        """Those that are so far."""
        return [held for held in self._held.values() if held.phase is phase]


def stop_margin_s(wanted_s: float, heartbeat_s: float) -> float:
    """How long before the end of its lease a job is killed: never so long that a heartbeat could not renew it."""
    return min(wanted_s, heartbeat_s / 2)


def lease_end(sent_at: float, lease_s: float, margin_s: float) -> float:
    """When a job must be gone: the lease counts from before the question was sent, less a margin to die in.

    An offer's `lease_s` includes the time for which the question was held, so no part of it can be the margin.
    """
    return sent_at + lease_s - margin_s
