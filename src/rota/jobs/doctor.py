"""Looks at all that this server keeps, tells what is out of the ordinary, and mends what is safe to mend."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from rota.jobs import findings
from rota.jobs.backups import delete_partial, partial_backups
from rota.jobs.findings import Disk, Facts
from rota.jobs.service import JobService
from rota.protocol.doctor import BlobsRead, Finding, Findings
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.participants import Fleet
from rota.protocol.problems import Damaged, Problem
from rota.protocol.wire import timestamp
from rota.protocol.worker import Worker
from rota.storage.stores.blobs import BlobStore, StoredBlob
from rota.storage.stores.jobs import JobStore
from rota.storage.stores.upkeep import DatabaseFiles, RecordedBlob, UpkeepStore
from rota.world import World

T = TypeVar("T")

OVERDUE_S = 5.0
"""The sweeper comes twice a second: what is overdue for longer, it does not end."""
SCHEDULER_S = 5.0
"""The scheduler is told at once of what ends; what waits for longer, it does not decide."""
FOUND_MAX = 1000
_BATCH = 500
_READ_S_MAX = 5.0

WHY = "its lease is over, and the sweeper had not ended it (`rota doctor --fix`)"


class Places(msgspec.Struct, frozen=True):
    """Where this server keeps what: the folders whose disks matter, and the one of its backups."""

    folders: Sequence[Path]
    backups: Path


class Doctor:
    """`jobs` and `fleet` None: no server runs, its files alone are looked at."""

    def __init__(
        self,
        store: JobStore,
        upkeep: UpkeepStore,
        files: DatabaseFiles,
        blobs: BlobStore,
        places: Places,
        world: World,
        jobs: JobService | None = None,
        fleet: Fleet | None = None,
        ahead_s: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._store, self._upkeep, self._files, self._blobs = store, upkeep, files, blobs
        self._places, self._world, self._jobs, self._fleet, self._ahead_s = places, world, jobs, fleet, ahead_s

    async def look(self) -> Findings:
        """What is out of the ordinary now. Takes as long as reading the databases and the blobs' names does."""
        return self._told(findings.examine(await self._facts()))

    async def fix(self) -> Findings:
        """The same, after mending what is safe: `fixed` of each says how many."""
        facts = await self._facts()
        fixed = {
            "lease-overdue": await self._lose(facts.overdue),
            "attempt-without-lease": await self._lose(facts.without_lease),
            "job-without-holder": await self._put_back(facts),
            "blob-without-row": await asyncio.to_thread(self._discard, facts.orphans),
            "backup-partial": await asyncio.to_thread(delete_partial, self._places.backups, facts.partial_backups),
        }
        found = findings.examine(facts)
        return self._told([msgspec.structs.replace(one, fixed=fixed.get(one.code, 0)) for one in found])

    async def read_blobs(self, after: RecordedBlob | None) -> tuple[BlobsRead, RecordedBlob | None]:
        """Read stored bytes for some seconds and compare digests; where to go on, None at the end."""
        until_s = self._world.monotonic() + _READ_S_MAX
        read: list[RecordedBlob] = []
        damaged: list[RecordedBlob] = []
        while self._world.monotonic() <= until_s:
            batch = await self._upkeep.blobs(after, 1)
            if not batch:
                after = None
                break
            read += batch
            damaged += [blob for blob in batch if await self._is_damaged(blob)]
            after = batch[-1]
        size_bytes = sum(blob.size_bytes for blob in read)
        return BlobsRead(len(read), size_bytes, findings.damaged_blobs(damaged)), after

    async def _is_damaged(self, blob: RecordedBlob) -> bool:
        """Missing, and of another size, is told by `look`."""
        try:
            found = await self._blobs.digest(blob.attempt_id, blob.path)
        except Damaged:
            return True
        return found is not None and found[0] == blob.size_bytes and found[1] != blob.sha256

    def _told(self, found: list[Finding]) -> Findings:
        looked_at = ["databases", "disks", "clock", "blobs", "backups"]
        if self._jobs is not None:
            looked_at += ["leases", "workers", "scheduler"]
        return Findings(timestamp(self._world.now()), looked_at, found)

    async def _facts(self) -> Facts:
        complaints = {name: await asyncio.to_thread(self._files.complaints, name) for name in self._files.names}
        if any(complaints.values()):  # its rows cannot be relied on
            return Facts(now=self._world.now(), complaints=complaints, disks=self._disks())
        missing, other_size = await self._recorded()
        facts = Facts(
            now=self._world.now(),
            newest_at=await self._upkeep.newest_at(),
            disks=self._disks(),
            without_holder=await self._upkeep.without_holder(FOUND_MAX),
            missing=missing,
            other_size=other_size,
            orphans=await self._orphans(),
            partial_backups=await asyncio.to_thread(partial_backups, self._places.backups),
        )
        return facts if self._jobs is None else await self._living(facts, self._jobs)

    async def _living(self, facts: Facts, jobs: JobService) -> Facts:
        """And what only a server that runs can tell."""
        workers: list[Worker] | None = None
        registry_problem: str | None = None
        holders = await self._holders()
        without_lease = [attempt for attempt in holders if attempt not in jobs.leases]
        undecided = await self._undecided()
        if without_lease:  # once more: between a claim's commit and its lease there is a moment
            again = await self._holders()
            without_lease = [one for one in without_lease if one in again and one not in jobs.leases]
        try:
            workers = await self._fleet.workers(None) if self._fleet is not None else None
        except Problem as problem:
            registry_problem = problem.detail
        return msgspec.structs.replace(
            facts,
            overdue=jobs.leases.overdue(jobs.contact.now_s() - OVERDUE_S),
            stuck=jobs.leases.stuck,
            without_lease=without_lease,
            holders=holders,
            workers=workers,
            registry_problem=registry_problem,
            undecided=undecided,
            gateway_silent_s=jobs.contact.silent_s if jobs.contact.follows_gateways else 0.0,
            ahead_s=self._ahead_s(),
        )

    async def _holders(self) -> dict[AttemptId, WorkerId]:
        return {held.attempt_id: held.worker_id for held in await self._store.held()}

    async def _undecided(self) -> list[JobId]:
        """What the scheduler leaves lying: the same is there in every look."""
        left = await self._upkeep.undecided(FOUND_MAX)
        until_s = self._world.monotonic() + SCHEDULER_S
        while left and self._world.monotonic() < until_s:
            await self._world.sleep(SCHEDULER_S / 20)
            now = set(await self._upkeep.undecided(FOUND_MAX))
            left = [job for job in left if job in now]
        return left

    def _disks(self) -> list[Disk]:
        """Each once."""
        found: dict[int, Disk] = {}
        for folder in self._places.folders:
            if folder.exists():
                used = shutil.disk_usage(folder)
                found.setdefault(folder.stat().st_dev, Disk(str(folder), used.free, used.total))
        return list(found.values())

    async def _recorded(self) -> tuple[list[RecordedBlob], list[RecordedBlob]]:
        """What rows have in the blob store that is not there, and what has another size there."""
        missing: list[RecordedBlob] = []
        other_size: list[RecordedBlob] = []
        after: RecordedBlob | None = None
        while batch := await self._upkeep.blobs(after, _BATCH):
            after = batch[-1]
            sizes = await asyncio.to_thread(self._sizes, batch)
            missing += [blob for blob, size in zip(batch, sizes, strict=True) if size is None]
            other_size += [blob for blob, size in zip(batch, sizes, strict=True) if size not in {None, blob.size_bytes}]
        return missing, other_size

    def _sizes(self, blobs: Sequence[RecordedBlob]) -> list[int | None]:
        places = [self._blobs.place(blob.attempt_id, blob.path) for blob in blobs]
        return [None if place is None else place.stat().st_size for place in places]

    async def _orphans(self) -> list[StoredBlob]:
        found: list[StoredBlob] = []
        now_s = self._world.now().timestamp()
        stored = self._blobs.stored()
        while batch := await asyncio.to_thread(_some, stored, _BATCH):
            states = await self._upkeep.states([blobs[0].attempt_id for blobs in batch if blobs])
            found += [
                blob
                for blobs in batch
                for blob in blobs
                if findings.is_orphan(blob, states.get(blob.attempt_id), now_s)
            ]
        return found

    async def _lose(self, attempts: Sequence[AttemptId]) -> int:
        """Only leases that are over, still: of any other the worker may be at it. Source: what-is-promised.md."""
        if self._jobs is None or not attempts:
            return 0
        leases = self._jobs.leases
        over = set(leases.overdue(self._jobs.contact.now_s()))
        await self._jobs.lose([one for one in attempts if one in over or one not in leases], WHY)
        held = await self._holders()
        return len([attempt for attempt in attempts if attempt not in held])

    async def _put_back(self, facts: Facts) -> int:
        outcomes = await self._upkeep.put_back(facts.without_holder)
        if self._jobs is not None:
            self._jobs.note([], outcomes)
        return len(outcomes)

    def _discard(self, orphans: Sequence[StoredBlob]) -> int:
        for blob in orphans:
            self._blobs.discard(blob.attempt_id, blob.name)
        return len(orphans)


def _some(things: Iterable[T], count: int) -> list[T]:
    """The next of them."""
    found: list[T] = []
    for thing in things:
        found.append(thing)
        if len(found) == count:
            break
    return found
