"""What a job can do to its folder: nested beyond measure, locked, busy. Source: guarantees.md, F45."""

import contextlib
import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rota.protocol.ids import AttemptId
from rota.worker import workspace
from rota.worker.artifacts import collect
from rota.worker.removal import DEPTH_MAX
from rota.worker.workspace import Workspaces
from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess, eventually
from worker.test_files import left_in

NOBODY = 65534
NEST = "import os\nfor _ in range(3000):\n os.mkdir('d')\n os.chdir('d')\nopen('file', 'w').close()\n"


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder, and for the time of the test not root's rights, for which no folder is locked."""
    folder = Path(tempfile.mkdtemp())
    was = os.geteuid()
    if was == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(was)
    shutil.rmtree(folder)


async def test_folders_nested_beyond_measure_cost_neither_the_result_nor_the_worker(
    server: FakeServer, worker: WorkerProcess
) -> None:
    attempt = server.offer("python3", "-c", f"{NEST}raise SystemExit(7)", artifacts=["**"])

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 7
    assert ["deep" in one["message"] for one in report["problems"]] == [True, False]
    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0
    await eventually(lambda: left_in(worker) == [])
    assert "Traceback" not in worker.said
    assert not (worker.work_dir / "quarantine").exists()


def test_what_a_job_locked_is_removed_all_the_same(nobodys: Path) -> None:
    """The attempt's folder, those in it, and one that lies too deep to be removed in one go."""
    workspaces = Workspaces(nobodys)
    folder = workspaces.make(AttemptId("a"))
    deep = folder.joinpath("work", *["d"] * (DEPTH_MAX + 3))
    deep.mkdir(parents=True)
    (deep / "file").touch()
    for locked in [deep, *deep.parents][: DEPTH_MAX + 5]:
        locked.chmod(0)

    workspaces.remove(AttemptId("a"))

    assert [path.name for path in nobodys.rglob("*")] == ["jobs"]


def test_a_locked_folder_is_a_problem_and_the_others_are_collected(nobodys: Path) -> None:
    for name in ("a", "locked", "z"):
        (nobodys / name).mkdir(parents=True)
        (nobodys / name / "file").touch()
    (nobodys / "locked").chmod(0)

    collected = collect(nobodys, ["**"], size_bytes_max=1, count_max=9)

    (nobodys / "locked").chmod(0o700)
    assert [one.path for one in collected.artifacts] == ["a/file", "z/file"]
    assert [(one.path, one.message) for one in collected.problems] == [
        ("locked", "this folder cannot be entered: Permission denied")
    ]


def test_what_cannot_be_removed_is_put_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspaces = Workspaces(tmp_path)
    (workspaces.make(AttemptId("a")) / "work" / "file").touch()
    monkeypatch.setattr(workspace, "remove_all", _busy)

    workspaces.remove(AttemptId("a"))

    assert workspaces.left() == []
    assert (tmp_path / "quarantine" / "a" / "work" / "file").exists()


async def test_a_full_disk_gives_jobs_back_instead_of_ending_them(
    server: FakeServer, make_worker: MakeWorker, small_disk: Path, tmp_path: Path
) -> None:
    """Source: guarantees.md, F16."""
    worker = make_worker(disk_free_bytes_min=0)
    worker.said_file, worker.work_dir = tmp_path / "said", small_disk / "w"
    worker.start()
    await server.report(server.offer("true"))
    await eventually(lambda: not list((worker.work_dir / "spool").iterdir()))  # it would leave room when it goes
    with (small_disk / "fill").open("wb", buffering=0) as fill, contextlib.suppress(OSError):
        while fill.write(bytes(4096)):
            pass
    attempt = server.offer(script="true")
    await server.until(lambda: server.named("refuse-job"))
    (small_disk / "fill").unlink()

    [refused] = server.named("refuse-job")[0].body["attempts"]
    assert (refused["attempt_id"], "No space left" in refused["reason"]) == (attempt, True)
    assert (await server.report(server.offer(script="true")))["result"]["exit_code"] == 0
    assert attempt not in server.finished


async def test_a_machine_without_descriptors_gives_jobs_back_and_goes_on_when_it_has_some(
    server: FakeServer, worker: WorkerProcess
) -> None:
    """Source: guarantees.md, F16."""
    await server.report(server.offer("true"))
    [shepherd] = worker.shepherds()
    before = resource.prlimit(shepherd, resource.RLIMIT_NOFILE)
    resource.prlimit(shepherd, resource.RLIMIT_NOFILE, (_lowest_free(shepherd), before[1]))
    attempt = server.offer(script="true")
    await server.until(lambda: server.named("refuse-job"))
    resource.prlimit(shepherd, resource.RLIMIT_NOFILE, before)

    [refused] = server.named("refuse-job")[0].body["attempts"]
    assert (refused["attempt_id"], "Too many open files" in refused["reason"]) == (attempt, True)
    assert (await server.report(server.offer(script="true")))["result"]["exit_code"] == 0
    assert attempt not in server.finished
    assert worker.shepherds() == [shepherd]


def _lowest_free(pid: int) -> int:
    """The number that the next file of that process would get."""
    taken = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    return min(set(range(len(taken) + 1)) - taken)


def _busy(_folder: Path) -> None:
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
