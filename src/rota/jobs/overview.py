"""How it goes, from Rota's own store: what was decided and what was open, and failures by their last words."""

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from rota.protocol.environment import Caller
from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Reason, Result
from rota.protocol.overview import Failures, Overview, Period
from rota.protocol.problems import Forbidden, Problem
from rota.protocol.states import HELD, AttemptState
from rota.protocol.timeline import Run, Timeline
from rota.protocol.wire import timestamp
from rota.storage.stores.blobs import BlobStore
from rota.storage.stores.tallies import Depth, Failure, Ran, Tally, TallyStore
from rota.world import World

WINDOWS_S = {3600: 60, 86400: 1800, 7 * 86400: 4 * 3600}
"""How far one may look back, and how long a period of that window is."""
RUNS_MAX = 2000
KEPT = timedelta(days=8)
SAMPLE_EVERY_S = 60.0
FAILURES_MAX = 200
TAIL_SIZE_BYTES = 1024
SAID_LENGTH_MAX = 160
GROUPS_MAX = 10
_EXAMPLES_MAX = 3
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+(\.\d+)?")

log = logging.getLogger(__name__)


class Overviews:
    """Looks back, and notes once a minute what is open."""

    def __init__(self, store: TallyStore, blobs: BlobStore, world: World) -> None:
        self._store, self._blobs, self._world = store, blobs, world

    async def overview(self, caller: Caller, window_s: int, environment: str | None) -> Overview:
        """Of the environment, or of all that the caller may see. Raises Forbidden for another than the caller's."""
        environment = _seen_by(caller, environment)
        period_s = WINDOWS_S[window_s]
        now = self._world.now()
        first = datetime.fromtimestamp((now.timestamp() - window_s) // period_s * period_s + period_s, UTC)
        since = _minute(first)
        tallies = await self._store.tallies(since, environment)
        depths = await self._store.depths(since, environment)
        failures = await self._store.failures(timestamp(first), environment, FAILURES_MAX, TAIL_SIZE_BYTES)
        depth = await self._store.open_now()
        seen = [pair for name, pair in depth.items() if environment in {None, name}]
        return Overview(
            window_s, period_s, sum(queued for queued, _ in seen), sum(running for _, running in seen),
            periods(first, period_s, window_s // period_s, tallies, depths),
            groups([(failure, await self._last_words(failure)) for failure in failures]),
        )  # fmt: skip

    async def timeline(self, caller: Caller, window_s: int, environment: str | None) -> Timeline:
        """Who ran what in the window, of what the caller may see. Raises Forbidden, likewise."""
        environment = _seen_by(caller, environment)
        now = self._world.now()
        first = first_id(now - timedelta(seconds=window_s))
        found = await self._store.runs(first, environment, RUNS_MAX + 1)
        return Timeline(timestamp(now), window_s, [run(one) for one in found[:RUNS_MAX]], len(found) > RUNS_MAX)

    async def watch(self) -> None:
        """Note what is open, until cancelled; a minute that cannot be noted is left out."""
        while True:
            now = self._world.now()
            try:
                await self._store.keep_depth(_minute(now), await self._store.open_now(), _minute(now - KEPT))
            except Problem as problem:
                log.warning("what is open is not noted now: %s", problem.detail)
            await self._world.sleep(SAMPLE_EVERY_S)

    async def _last_words(self, failure: Failure) -> str:
        tail = failure.log_tail
        if tail is None and failure.log_size_bytes and failure.attempt_id is not None:
            end = failure.log_size_bytes
            try:
                pieces = self._blobs.read(failure.attempt_id, "", max(0, end - TAIL_SIZE_BYTES), end)
                tail = b"".join([piece async for piece in pieces])
            except Problem:
                tail = None  # damaged: what else is known is told
        return last_line(tail or b"") or failure.message or ending(failure.result)


def periods(
    first: datetime, period_s: int, count: int, tallies: Iterable[Tally], depths: Iterable[Depth]
) -> list[Period]:
    """All of them, also those in which nothing was."""
    made = [Period(timestamp(first + timedelta(seconds=index * period_s))) for index in range(count)]

    def index_of(minute: str) -> int:
        at = datetime.fromisoformat(minute).replace(tzinfo=UTC)
        return min(count - 1, int((at - first).total_seconds() // period_s))

    waited: dict[int, float] = {}
    ran: dict[int, float] = {}
    for tally in tallies:
        at = index_of(tally.minute)
        one = made[at]
        made[at] = msgspec.structs.replace(
            one, succeeded=one.succeeded + tally.succeeded, failed=one.failed + tally.failed,
            cancelled=one.cancelled + tally.cancelled,
        )  # fmt: skip
        waited[at], ran[at] = waited.get(at, 0) + tally.waited_s, ran.get(at, 0) + tally.ran_s
    for at, total_s in waited.items():
        one = made[at]
        decided = max(1, one.succeeded + one.failed + one.cancelled)
        made[at] = msgspec.structs.replace(one, waited_s=total_s / decided, ran_s=ran[at] / decided)
    for depth in depths:
        one = made[index_of(depth.minute)]
        highest = {"queued": max(one.queued, depth.queued), "running": max(one.running, depth.running)}
        made[index_of(depth.minute)] = msgspec.structs.replace(one, **highest)
    return made


def groups(failures: Sequence[tuple[Failure, str]]) -> list[Failures]:
    """Those with the same last words together, the most frequent first."""
    together: dict[str, tuple[str, list[Failure]]] = {}
    for failure, said in failures:
        together.setdefault(_NUMBERS.sub("#", said), (said, []))[1].append(failure)
    made = [
        Failures(said, len(alike), [one.job_id for one in alike[:_EXAMPLES_MAX]]) for said, alike in together.values()
    ]
    return sorted(made, key=lambda group: -group.count)[:GROUPS_MAX]


def last_line(log_tail: bytes) -> str:
    """The last line that says anything, without what only a terminal heeds."""
    text = _ESCAPES.sub("", log_tail.decode(errors="replace"))
    lines = [line.rsplit("\r", 1)[-1].strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")[:SAID_LENGTH_MAX]


def run(ran: Ran) -> Run:
    """An attempt as it is told; what was given back or lost took no time that is known."""
    result = None if ran.result is None else msgspec.json.decode(ran.result, type=Result)
    state = AttemptState(ran.state)
    ran_s = None if state in HELD else (0.0 if result is None else result.usage.wall_s)
    exit_code = None if result is None else result.exit_code
    return Run(ran.attempt_id, ran.job_id, ran.name, ran.worker_id, state, ran.assigned_at, ran_s, exit_code)


def first_id(at: datetime) -> AttemptId:
    """The least id that can have been made at that time or later (UUIDv7: 48 bits of milliseconds first)."""
    milliseconds = f"{max(0, int(at.timestamp() * 1000)):012x}"
    return AttemptId(f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-000000000000")


def ending(result: str | None) -> str:
    """How it ended, where it said nothing."""
    if result is None:
        return "no result"
    read = msgspec.json.decode(result, type=Result)
    return f"exit {read.exit_code}, without a word" if read.reason is Reason.EXITED else str(read.reason)


def _seen_by(caller: Caller, environment: str | None) -> str | None:
    """The environment that is meant; None is all. Raises Forbidden for another than the caller's."""
    if caller.environment is not None and environment not in {None, caller.environment}:
        raise Forbidden(f"This credential is for the environment `{caller.environment}` alone.")
    return caller.environment or environment


def _minute(at: datetime) -> str:
    return timestamp(at)[:16]
