"""What nobody foresaw costs one step of one attempt, or a new start; never the other jobs, never obedience."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from rota.protocol.ids import AttemptId, JobId
from rota.worker import finish, workspace
from rota.worker.held import Held, HeldAttempts, Note
from rota.worker.log import LiveLogs
from rota.worker.options import WorkerOptions
from rota.worker.report import Reporter
from rota.worker.shepherd.messages import Ended
from rota.worker.spool import Spool
from rota.worker.workspace import Workspaces
from rota.world import SystemWorld
from worker.fake_server import FakeServer
from worker.rig import MakeWorker, eventually

A = AttemptId("a")
END = Ended(
    attempt_id=A, note=b"", reason="exited", exit_code=3, signal=None, message=None, started_at=0, finished_at=1,
    wall_s=1, user_s=0, system_s=0, max_rss_bytes=0, log_size_bytes=9, log_problem=None,
)  # fmt: skip


def _surprise(*_: object) -> Any:  # noqa: ANN401  (never returns)
    raise RecursionError


@pytest.fixture
async def reporter(tmp_path: Path) -> Reporter:
    nobody: Any = None
    options = WorkerOptions("http://localhost", None, "w", 1, {}, tmp_path)
    held, world, uploads = HeldAttempts(1), SystemWorld(), asyncio.Semaphore(1)
    held.add([Held(A, Note(JobId("j"), []), 0)])
    logs = LiveLogs(nobody, world, 0, uploads)
    return Reporter(
        nobody, held, nobody, Spool(tmp_path), Workspaces(tmp_path), logs, world, options, uploads, asyncio.create_task
    )


async def test_an_end_whose_files_cannot_be_put_together_is_reported(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(reporter, "report", told.append)
    monkeypatch.setattr(finish, "finished", _surprise)

    reporter.ended(END)

    [report] = told
    assert (report.result.exit_code, report.log.size_bytes, len(report.problems)) == (3, 0, 1)


async def test_a_folder_whose_removal_fails_costs_no_other_its_own(
    reporter: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "_is_spotless", _surprise)
    monkeypatch.setattr(workspace, "remove_all", lambda folder: folder.rmdir() if folder.name == "b" else _surprise())
    for name in ("a", "b"):
        (tmp_path / "jobs" / name).mkdir()
        reporter.clean(AttemptId(name))

    await reporter.tidy_now()

    assert (tmp_path / "jobs" / "a").exists()


async def test_a_live_log_that_fails_leaves_the_others_going(tmp_path: Path) -> None:
    class Broken:
        upload = staticmethod(_surprise)

    (tmp_path / "log").write_text("text")
    gateway: Any = Broken()
    logs = LiveLogs(gateway, SystemWorld(), 0, asyncio.Semaphore(1))
    sending = asyncio.create_task(logs.send())
    logs.grown(A, tmp_path, 4)

    done, _ = await asyncio.wait({sending}, timeout=0.3)

    assert not done
    sending.cancel()


async def test_a_worker_that_can_only_start_over_obeys_a_signal(server: FakeServer, make_worker: MakeWorker) -> None:
    worker = make_worker(backoff_s_max=1)
    worker.work_dir.mkdir()
    (worker.work_dir / "jobs").write_text("no folder")
    worker.start()
    await eventually(lambda: worker.said.count("it starts over") >= 2)
    worker.signal(signal.SIGTERM)

    assert await worker.ended(within_s=5) in {0, 125}


async def test_a_shepherd_that_cannot_be_started_ends_the_worker_with_a_line(make_worker: MakeWorker) -> None:
    worker = make_worker()
    (worker.work_dir / "shepherd.sock").mkdir(parents=True)
    worker.start()

    assert await worker.ended() == 125
    assert "the shepherd cannot be started" in worker.said
    assert "Traceback" not in worker.said
