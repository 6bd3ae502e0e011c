"""What agent and shepherd say to each other: many in one frame, over a Unix socket in the work folder.

Points in time are seconds of CLOCK_BOOTTIME, which both processes share, except `started_at` and `finished_at`.
"""

import errno
from collections.abc import Iterator
from typing import Any

import msgspec

LENGTH_SIZE_BYTES = 4


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One thing said."""


class Start(Message, frozen=True):
    """Start this job's process in `folder`/work. `note` comes back with whatever is said of the attempt.

    The job is killed at `deadline` unless an Extend moved it. `timeout_s` None: no limit.
    """

    attempt_id: str
    argv: list[bytes]
    environment: dict[bytes, bytes]
    folder: str
    deadline: float
    timeout_s: float | None
    grace_s: float
    log_size_bytes_max: int
    note: bytes


class Extend(Message, frozen=True):
    """The lease of these attempts was renewed."""

    attempts: list[str]
    deadline: float


class Stop(Message, frozen=True):
    """Somebody cancelled them: SIGTERM, their grace, SIGKILL. They end as `cancelled`."""

    attempts: list[str]


class Kill(Message, frozen=True):
    """Their lease is lost: SIGKILL at once."""

    attempts: list[str]


class Forget(Message, frozen=True):
    """The agent has these ends on disk, or nobody wants them."""

    attempts: list[str]


class Leave(Message, frozen=True):
    """The worker stops in order: exit when nothing runs."""


class Ping(Message, frozen=True):
    """Are you there? Answered with Pong. Only to a shepherd whose Hello named its process."""


class Running(Message, frozen=True):
    """A job that runs; part of Hello."""

    attempt_id: str
    note: bytes
    log_size_bytes: int


class Ended(Message, frozen=True):
    """A job whose process is no more, nor any of its descendants.

    `reason` is one of the protocol's, or `lease`: killed because nobody moved its deadline, or
    `machine`. `log_problem` says why the log is not whole; `started_at` and `finished_at` are seconds of the
    wall clock, for people.
    """

    attempt_id: str
    note: bytes
    reason: str
    exit_code: int | None
    signal: str | None
    message: str | None
    started_at: float | None
    finished_at: float
    wall_s: float
    user_s: float
    system_s: float
    max_rss_bytes: int
    log_size_bytes: int
    log_problem: str | None


class Hello(Message, frozen=True):
    """First word to every agent that connects: all that the shepherd still has, and its process (0: it has no Pong)."""

    running: list[Running]
    ended: list[Ended]
    pid: int = 0


class Pong(Message, frozen=True):
    """I am."""


class Grown(Message, frozen=True):
    """Logs that became longer: bytes so far, by attempt."""

    sizes: dict[str, int]


LEASE = "lease"
"""The reason of an end that is reported to nobody: the lease ran out."""

MACHINE = "machine"
"""The reason of an end without a start, for which the machine is at fault and not the job: it is given back."""
OF_THE_MACHINE = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
)
"""Errors that say nothing about the job."""

Command = Start | Extend | Stop | Kill | Forget | Leave | Ping
Event = Hello | Grown | Ended | Pong

_encode = msgspec.msgpack.Encoder().encode
_commands = msgspec.msgpack.Decoder(list[Command])
_events = msgspec.msgpack.Decoder(list[Event])


def frame(messages: list[Any]) -> bytes:
    """One frame: its length, then the messages."""
    body = _encode(messages)
    return len(body).to_bytes(LENGTH_SIZE_BYTES, "big") + body


def length(head: bytes) -> int:
    """The size of the body that follows."""
    return int.from_bytes(head, "big")


def read_commands(body: bytes) -> list[Command]:
    """What the agent said."""
    return _commands.decode(body)


def read_events(body: bytes) -> list[Event]:
    """What the shepherd said."""
    return _events.decode(body)


def bodies(received: bytearray) -> Iterator[bytes]:
    """The whole frames at the front of `received`, taken out of it."""
    while len(received) >= LENGTH_SIZE_BYTES:
        end = LENGTH_SIZE_BYTES + length(bytes(received[:LENGTH_SIZE_BYTES]))
        if len(received) < end:
            return
        body = bytes(received[LENGTH_SIZE_BYTES:end])
        del received[:end]
        yield body
