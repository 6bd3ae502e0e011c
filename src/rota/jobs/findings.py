"""From what was seen on a server to what is out of the ordinary: plain functions, no clock and no disk."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from rota.protocol.doctor import Finding, Level
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.states import HELD, AttemptState
from rota.protocol.status import WorkerStatus
from rota.protocol.wire import parse_timestamp
from rota.protocol.worker import Worker
from rota.storage.stores.blobs import StoredBlob, blob_name
from rota.storage.stores.upkeep import RecordedBlob

EXAMPLES_MAX = 10
SKEW_S_MAX = 5.0
"""Further apart two clocks are out of the ordinary; JWTs are good within 60 s."""
NEVER_SEEN_S = 3600.0
GATEWAY_SILENT_S = 5.0
"""Each asks every second what arrives."""
ORPHAN_S = 24 * 3600.0
"""A blob that no row refers to may be on its way to one until it is that old."""
FREE_SHARE_MIN = 0.05
FREE_BYTES_MIN = 1024**3


class Disk(msgspec.Struct, frozen=True):
    """The file system that a folder is on."""

    folder: str
    free_bytes: int
    size_bytes: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. None, or empty: not looked at, or nothing of the kind."""

    now: datetime
    newest_at: str | None = None
    complaints: Mapping[str, Sequence[str]] = {}
    disks: Sequence[Disk] = ()
    overdue: Sequence[AttemptId] = ()
    stuck: Sequence[AttemptId] = ()
    without_lease: Sequence[AttemptId] = ()
    without_holder: Sequence[JobId] = ()
    holders: Mapping[AttemptId, WorkerId] = {}
    workers: Sequence[Worker] | None = None
    registry_problem: str | None = None
    gateway_silent_s: float = 0.0
    undecided: Sequence[JobId] = ()
    ahead_s: Mapping[str, float] = {}
    missing: Sequence[RecordedBlob] = ()
    other_size: Sequence[RecordedBlob] = ()
    orphans: Sequence[StoredBlob] = ()
    partial_backups: Sequence[str] = ()


def examine(facts: Facts) -> list[Finding]:
    """What is out of the ordinary, the faults first."""
    parts = (_databases, _disks, _clocks, _leases, _gateways, _workers, _scheduler, _blobs, _backups)
    found = [finding for part in parts for finding in part(facts)]
    return sorted(found, key=lambda finding: finding.level is Level.NOTE)


def damaged_blobs(damaged: Iterable[RecordedBlob]) -> list[Finding]:
    """What reading all bytes brought to light."""
    return _of(
        damaged, "blob-digest", "Stored logs or artifacts with other bytes than were recorded",
        "The disk has changed them: look after it, and take them from a backup. They are not given out.",
    )  # fmt: skip


def clock_skew(name: str, ahead_s: float) -> list[Finding]:
    """Two clocks that differ; `ahead_s` is how far the clock of `name` is before the other one."""
    if abs(ahead_s) <= SKEW_S_MAX:
        return []
    words = f"The clock of {name} is {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
    return [_finding("clocks-differ", f"{words}.", "Keep both machines' clocks right (NTP). Leases do not hang on it.")]


def is_orphan(blob: StoredBlob, known: tuple[AttemptState, frozenset[str]] | None, now_s: float) -> bool:
    """Whether nothing refers to a blob, nothing will any more, and nobody can see it.

    A held attempt's blobs are still being written; of a lost one the log can still be read.
    """
    if now_s - blob.written_at_s < ORPHAN_S:
        return False
    if known is None:
        return True
    state, paths = known
    if state in HELD or state is AttemptState.DETACHED:
        return False
    if state is AttemptState.LOST and blob.name == blob_name(""):
        return False
    return blob.name not in {blob_name(path) for path in paths}


def _databases(facts: Facts) -> list[Finding]:
    return [
        _finding(
            "database-damaged", f"{name} is damaged: {complaints[0]}.",
            "Stop the server, keep the file, and restore the newest backup: `rota restore`.", complaints,
        )
        for name, complaints in facts.complaints.items() if complaints
    ]  # fmt: skip


def _disks(facts: Facts) -> list[Finding]:
    low = [disk for disk in facts.disks if disk.free_bytes < max(FREE_BYTES_MIN, FREE_SHARE_MIN * disk.size_bytes)]
    return [
        _finding(
            "disk-low", f"{disk.free_bytes / 1e9:.1f} of {disk.size_bytes / 1e9:.1f} GB are free for {disk.folder}.",
            "Make room: old backups and other programs' files first. Without room nothing is accepted.",
        )
        for disk in low
    ]  # fmt: skip


def _clocks(facts: Facts) -> list[Finding]:
    found = [finding for name, ahead_s in facts.ahead_s.items() for finding in clock_skew(name, ahead_s)]
    if facts.newest_at is not None:
        ahead_s = (parse_timestamp(facts.newest_at) - facts.now).total_seconds()
        if ahead_s > SKEW_S_MAX:
            found.append(
                _finding(
                    "clock-set-back", f"The newest row is {ahead_s:.0f} s in the future: the clock was set back.",
                    "Put this machine's clock right (NTP). Until then the order of new jobs among old ones is wrong.",
                )
            )  # fmt: skip
    return found


def _leases(facts: Facts) -> list[Finding]:
    return [
        *_of(facts.overdue, "lease-overdue", "Leases that are over, and nothing has ended them",
             "The sweeper does not run or the disk takes no writes: see the server's log. --fix ends them.", fix=True),
        *_of(facts.stuck, "attempt-stuck", "Attempts that are over, and whose rows cannot be moved",
             "Something else wrote to the database: the server's log says what is wrong with the rows."),
        *_of(facts.without_lease, "attempt-without-lease", "Held attempts without a lease that could end",
             "--fix ends them; so does a restart of the server, after one lease.", fix=True),
        *_of(facts.without_holder, "job-without-holder", "Jobs that are assigned or running, and nobody holds them",
             "Something else wrote to the database. --fix lets the scheduler decide about them anew.", fix=True),
    ]  # fmt: skip


def _gateways(facts: Facts) -> list[Finding]:
    if facts.gateway_silent_s <= GATEWAY_SILENT_S:
        return []
    return [
        _finding(
            "gateway-away", f"No gateway has been heard of for {facts.gateway_silent_s:.0f} s.",
            "Start it (`rota server --only gateway`). Until then no job is given out, and no lease ends.",
        )
    ]  # fmt: skip


def _workers(facts: Facts) -> list[Finding]:
    if facts.registry_problem is not None:
        return [_finding("registry-away", f"The registry does not answer: {facts.registry_problem}",
                         "Start it. Until then no job is started.")]  # fmt: skip
    if facts.workers is None:
        return []
    by_id = {worker.worker_id: worker for worker in facts.workers}
    over = {*facts.overdue, *facts.without_lease}
    lost = [attempt for attempt, worker in facts.holders.items() if worker in by_id and _is_gone(by_id[worker])]
    foreign = [attempt for attempt, worker in facts.holders.items() if worker not in by_id]
    unseen = [worker for worker in facts.workers if _is_unseen(worker, facts.now)]
    patience = "Their leases still run: should the worker live, it may be at it. They end by themselves."
    return [
        *_of([one for one in lost if one not in over], "worker-lost", "Attempts held by workers that are gone",
             patience),
        *_of([one for one in foreign if one not in over], "worker-unknown",
             "Attempts held by workers that the registry does not know", patience),
        *_of([f"{worker.name} ({worker.worker_id})" for worker in unseen], "worker-never-seen",
             "Workers that were enrolled and never heard of", "Start them, or revoke their credentials: `rota env`.",
             level=Level.NOTE),
    ]  # fmt: skip


def _is_gone(worker: Worker) -> bool:
    """Whoever was never heard of may be about to say its first word: it asks for a job before."""
    return worker.status in {WorkerStatus.LOST, WorkerStatus.OFFLINE} and worker.last_seen_at is not None


def _is_unseen(worker: Worker, now: datetime) -> bool:
    enrolled_s = (now - parse_timestamp(worker.enrolled_at)).total_seconds()
    return worker.last_seen_at is None and enrolled_s > NEVER_SEEN_S


def _scheduler(facts: Facts) -> list[Finding]:
    return _of(
        facts.undecided, "scheduler-away", "Jobs that wait for the scheduler's word, and it does not come",
        "Start the scheduler (`rota server --only scheduler`), or see its log.",
    )  # fmt: skip


def _blobs(facts: Facts) -> list[Finding]:
    size = sum(blob.size_bytes for blob in facts.orphans)
    return [
        *_of(facts.missing, "blob-missing", "Recorded logs or artifacts whose bytes are gone",
             "Take the folder `blobs` from a backup. Asked for, they are told as damaged."),
        *_of(facts.other_size, "blob-size", "Stored logs or artifacts with another size than was recorded",
             "Take them from a backup. Asked for, they are told as damaged."),
        *_of([f"{blob.attempt_id}/{blob.name}" for blob in facts.orphans], "blob-without-row",
             f"Stored blobs that belong to nothing ({size} bytes)", "--fix deletes them.", level=Level.NOTE, fix=True),
    ]  # fmt: skip


def _backups(facts: Facts) -> list[Finding]:
    return _of(
        facts.partial_backups, "backup-partial", "Backups that were cut off",
        "--fix deletes them; so does the next backup.", level=Level.NOTE, fix=True,
    )  # fmt: skip


def _of(
    things: Iterable[object], code: str, words: str, advice: str, *, level: Level = Level.FAULT, fix: bool = False
) -> list[Finding]:
    """One finding of all of them; none where there are none."""
    names = [str(thing) for thing in things]
    if not names:
        return []
    message = f"{words}: {len(names)}."
    return [Finding(code, level, message, advice, len(names), names[:EXAMPLES_MAX], fix)]


def _finding(code: str, message: str, advice: str, examples: Sequence[str] = ()) -> Finding:
    return Finding(code, Level.FAULT, message, advice, 1, list(examples[:EXAMPLES_MAX]))
