"""What a power cut left of a log is reported as what it is. Source: guarantees.md, G12; found by the simulation."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job_finished import Finished, LogReport
from rota.worker import finish
from rota.worker.deliver import Delivery, complete
from rota.worker.held import Note
from rota.worker.log import LiveLogs
from rota.worker.options import WorkerOptions
from rota.worker.shepherd.messages import Ended
from rota.worker.workspace import Workspaces
from rota.world import SystemWorld

A = AttemptId("a")
END = Ended(
    attempt_id=A, note=b"", reason="exited", exit_code=3, signal=None, message=None, started_at=0, finished_at=1,
    wall_s=1, user_s=0, system_s=0, max_rss_bytes=0, log_size_bytes=9, log_problem=None,
)  # fmt: skip


class TakesAll:
    """A gateway that stores what it is sent."""

    async def upload(self, _: AttemptId, _path: str | None, offset: int, piece: bytes) -> int:
        return offset + len(piece)


def reported(folder: Path) -> Finished:
    """As it is put together from what is in the attempt's folder."""
    return finish.finished(END, Note(JobId("j"), []), folder, WorkerOptions("", None, "w", 1, {}, folder))


async def delivered(work_dir: Path, told: LogReport) -> Finished:
    """The same report once its log was uploaded."""
    gateway: Any = TakesAll()
    world, uploads, workspaces = SystemWorld(), asyncio.Semaphore(1), Workspaces(work_dir)
    report = msgspec.structs.replace(reported(workspaces.of(A)), log=told, problems=[])
    delivery = Delivery(gateway, world, LiveLogs(gateway, world, 0, uploads), workspaces, uploads)
    return await complete(report, delivery)


def test_a_log_of_which_only_a_part_is_left_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"123")

    report = reported(tmp_path)

    assert (report.log.size_bytes, report.result.exit_code) == (3, 3)
    assert [(one.what, one.message) for one in report.problems] == [("log", "only 3 of 9 bytes are left")]


def test_a_log_that_is_whole_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"123456789")

    assert reported(tmp_path).problems == []


async def test_a_log_that_became_shorter_before_it_was_uploaded_is_said_to_be(tmp_path: Path) -> None:
    whole = LogReport(9, hashlib.sha256(b"123456789").hexdigest())
    (tmp_path / "jobs" / A).mkdir(parents=True)
    (tmp_path / "jobs" / A / "log").write_bytes(b"123456789")
    assert (await delivered(tmp_path, whole)).problems == []
    (tmp_path / "jobs" / A / "log").write_bytes(b"123")

    report = await delivered(tmp_path, whole)

    assert report.log == LogReport(3, hashlib.sha256(b"123").hexdigest())
    assert [one.what for one in report.problems] == ["log"]
