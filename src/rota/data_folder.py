"""What is done to a data folder while no server runs on it: look it over, back it up, make one of a backup."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from rota.environments.service import EnvironmentsService
from rota.environments.token_files import ADMIN_TOKEN, SERVICE_TOKEN
from rota.jobs import manifest as manifests
from rota.jobs import restore as restoring
from rota.jobs.backups import STAMP, Run, as_backup, make
from rota.jobs.doctor import Doctor, Places
from rota.jobs.findings import Facts, examine
from rota.jobs.service import JobService
from rota.protocol.backup import Backup
from rota.protocol.doctor import Finding, Findings, Level
from rota.protocol.problems import Conflict, InvalidRequest, Problem
from rota.protocol.wire import timestamp
from rota.registry.service import RegistryService
from rota.storage.blobs import FolderBlobs, folder_of_blobs
from rota.storage.sqlite.database import Database, lock, newest_schema
from rota.storage.sqlite.environments import SqliteEnvironments
from rota.storage.sqlite.events import SqliteEvents
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.sqlite.upkeep import SqliteFiles, SqliteUpkeep, schema_of
from rota.storage.sqlite.workers import SqliteWorkers
from rota.storage.stores.upkeep import RecordedBlob, Tell
from rota.world import SystemWorld

SCHEMAS = {"rota.db": "jobs", "registry.db": "registry"}
TOKENS = (ADMIN_TOKEN, SERVICE_TOKEN)
BACKUPS = "backups"
_MAX_BYTES = 2**62


def look_over(data: Path, blobs: str | None, *, fix: bool, deep: bool) -> Findings:
    """What is out of the ordinary there, and with `fix` what is safe to mend is mended.

    Raises Conflict, InvalidRequest.
    """
    files = _files_of(data)
    now = SystemWorld().now()
    with _held(data, files):
        left = _left_behind(data)
        if fix:
            for one in left:
                one.unlink()
        complaints = {name: files.complaints(name) for name in files.names}
        found = [_lock_left_behind(left, fixed=fix)] if left else []
        if not any(complaints.values()):
            found += [finding for name in files.names for finding in _schema(data / name, SCHEMAS[name])]
    told = Findings(timestamp(now), ["databases", "schemas"], examine(Facts(now=now, complaints=complaints)))
    is_sound = not told.findings and not any(finding.code.startswith("schema-") for finding in found)
    if is_sound and "rota.db" in files.names:
        told = asyncio.run(_look(data, files, folder_of_blobs(blobs, data), fix=fix, deep=deep))
    every = sorted([*found, *told.findings], key=lambda finding: finding.level is Level.NOTE)
    return msgspec.structs.replace(told, findings=every)


def back_up(data: Path, to: Path | None, blobs: str | None, tell: Tell) -> Backup:
    """A backup of a server that does not run, as the folder `to`.

    Raises Conflict, InvalidRequest, Damaged, Unavailable.
    """
    files = _files_of(data)
    made_at = SystemWorld().now()
    folder = to or data / BACKUPS / made_at.strftime(STAMP)
    if folder.exists():
        raise Conflict(f"{folder} is there already. Name a folder that is not; nothing is written over.")
    run = Run(folder.name, folder.parent, tell)
    store = FolderBlobs(folder_of_blobs(blobs, data))
    with _held(data, files):
        manifest = make(run, files, [data / token for token in TOKENS], store, timestamp(made_at))
    return as_backup(folder, manifest)


def restore(backup: Path, data: Path, tell: Tell) -> Backup:
    """Make the folder `data` of a backup. Whatever workers held when it was made is lost: nobody may finish it now.

    Raises Conflict where `data` is not empty, the backup is none, is partial, or is a newer Rota's; Damaged.
    """
    manifest = manifests.read(backup)
    for file in manifest.files:
        if file.schema is not None and file.schema > newest_schema(SCHEMAS[file.name]):
            raise Conflict(f"{backup} was made by a newer Rota ({manifest.rota}). Upgrade Rota, then restore.")
    restoring.check_target(data)
    folder = restoring.unfinished(data)
    try:
        restoring.unpack(backup, folder, manifest, SqliteFiles({}), tell)
        asyncio.run(_let_go(folder))
        for held in folder.glob("*.db.lock"):
            held.unlink()
        restoring.name_it(folder, data)
    except (Problem, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return as_backup(backup, manifest)


def _files_of(data: Path) -> SqliteFiles:
    """The databases that are there, the Job service's first. Raises InvalidRequest where there are none."""
    found = {name: data / name for name in SCHEMAS if (data / name).exists()}
    if not found:
        raise InvalidRequest.of("data", f"{data} holds no database of Rota's")
    return SqliteFiles(found)


@contextmanager
def _held(data: Path, files: SqliteFiles) -> Iterator[None]:
    """No server starts on it meanwhile. Raises Conflict where one runs."""
    with ExitStack() as stack:
        for name in files.names:
            stack.callback(os.close, lock(data / name))
        yield


def _left_behind(data: Path) -> list[Path]:
    """Locks of databases that are gone. Of one that is there a lock is never stale: the kernel lets go of it."""
    return [file for file in data.glob("*.db.lock") if not file.with_suffix("").exists()]


def _lock_left_behind(left: list[Path], *, fixed: bool) -> Finding:
    names = [file.name for file in left]
    message = f"Locks of databases that are gone: {len(left)}."
    advice = "Is this the right folder? --fix deletes them."
    count = len(left)
    return Finding("lock-left-behind", Level.NOTE, message, advice, count, names, fixable=True, fixed=count * fixed)


def _schema(path: Path, schema: str) -> list[Finding]:
    is_at, known = schema_of(path), newest_schema(schema)
    if is_at < known:
        message = f"{path.name} has schema {is_at}, this Rota {known}. Its rows were not looked at."
        return [Finding("schema-behind", Level.NOTE, message, "Back it up, then start the server: it migrates.")]
    if is_at > known:
        message = f"{path.name} has schema {is_at}, which is newer than this Rota's {known}. It would not start."
        return [Finding("schema-ahead", Level.FAULT, message, "Upgrade Rota here.")]
    return []


@asynccontextmanager
async def _opened(data: Path, name: str) -> AsyncIterator[Database]:
    database = Database(data / name, SCHEMAS[name])
    database.start()
    try:
        yield database
    finally:
        database.stop()


async def _look(data: Path, files: SqliteFiles, blobs: Path, *, fix: bool, deep: bool) -> Findings:
    async with _opened(data, "rota.db") as database:
        places = Places([data, blobs], data / BACKUPS)
        upkeep, store = SqliteUpkeep(database), SqliteJobs(database)
        doctor = Doctor(store, upkeep, files, FolderBlobs(blobs), places, SystemWorld())
        told = await (doctor.fix() if fix else doctor.look())
        damaged: list[Finding] = []
        after: RecordedBlob | None = None
        is_over = not deep
        while not is_over:
            read, after = await doctor.read_blobs(after)
            damaged += read.findings
            is_over = after is None
    return msgspec.structs.replace(told, findings=[*damaged, *told.findings])


async def _let_go(data: Path) -> None:
    """End every attempt that is held in the restored database: what came of it since then nobody here knows.

    What the registry had permitted to run counts as tried. Source: guarantees.md, F53.
    """
    if not (data / "rota.db").exists():
        return  # the registry's own
    world = SystemWorld()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_opened(data, "rota.db"))
        await SqliteEvents(database).begin_log()
        store = SqliteJobs(database)
        environments = EnvironmentsService(SqliteEnvironments(database), world)
        jobs = JobService(store, FolderBlobs(data / "blobs"), environments, world, _MAX_BYTES, _MAX_BYTES)
        if (data / "registry.db").exists():
            workers = SqliteWorkers(await stack.enter_async_context(_opened(data, "registry.db")))
            jobs.fleet = RegistryService(workers, environments, jobs, world)
        await jobs.start()
        await jobs.lose([held.attempt_id for held in await store.held()], restoring.WHY)
