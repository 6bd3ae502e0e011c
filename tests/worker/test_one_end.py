"""Two ends in one instant are one; where memory is short a job goes before its worker; files change while collected.

Source: guarantees.md, G5, G12, F31, F33, F40.
"""

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess, eventually, number_in

LASTS_S = 0.4
JOBS = 16
SIZE_BYTES = 3_000_000


def reports(server: FakeServer) -> Counter[str]:
    """How often the end of each attempt was told."""
    return Counter(one["attempt_id"] for call in server.named("job-finished") for one in call.body["attempts"])


@pytest.mark.parametrize("cancelled", [False, True], ids=["as it exits", "as it is cancelled"])
async def test_a_timeout_in_the_same_instant_is_one_end_with_one_reason(
    server: FakeServer, make_worker: MakeWorker, *, cancelled: bool
) -> None:
    """Source: guarantees.md, F33."""
    server.heartbeat_s = LASTS_S / 4
    make_worker(slots=8).start()
    script = f"exec sleep {'60' if cancelled else LASTS_S}"
    attempts = [server.offer(script=script, timeout_s=LASTS_S + step % 8 / 100) for step in range(JOBS)]
    if cancelled:
        server.cancel.update(attempts)

    results = [(await server.report(attempt))["result"] for attempt in attempts]
    await server.until(lambda: server.named("status")[-1].body["attempts"] == [])

    assert {result["reason"] for result in results} <= {"timed_out", "cancelled" if cancelled else "exited"}
    for result in results:
        assert result["reason"] != "exited" or (result["exit_code"], result["message"]) == (0, None)
        assert (result["reason"] == "timed_out") is ("timeout_s" in (result["message"] or ""))
        assert (result["signal"] is None) is (result["exit_code"] is not None)
    assert reports(server) == Counter(attempts)


@pytest.mark.parametrize("first", ["timed_out", "cancelled"])
async def test_the_first_reason_to_stop_a_job_stays_its_reason(
    server: FakeServer, make_worker: MakeWorker, tmp_path: Path, first: str
) -> None:
    """The other comes while the job takes its time to obey. Source: guarantees.md, F33."""
    server.heartbeat_s = 0.1
    make_worker().start()
    told, go_on = tmp_path / "told", tmp_path / "go-on"
    script = f"trap 'touch {told}' TERM; echo ready; until [ -e {go_on} ]; do sleep 0.02 || :; done; exit 5"
    attempt = server.offer(script=script, timeout_s=0.5 if first == "timed_out" else 1.5, grace_s=20)
    if first == "cancelled":
        await server.until(lambda: server.uploads.get((attempt, "log")))
        server.cancel.add(attempt)
    await eventually(told.exists)
    beats = len(server.named("heartbeat"))
    server.cancel.add(attempt)
    await server.until(lambda: len(server.named("heartbeat")) > beats + 15)  # the other comes, and is over
    go_on.touch()

    result = (await server.report(attempt))["result"]

    assert (result["reason"], result["exit_code"]) == (first, 5)
    assert reports(server)[attempt] == 1


async def test_where_memory_is_short_a_job_is_killed_before_agent_and_shepherd(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """The kernel's own order; that a killed agent loses no job is in test_life.py. Source: guarantees.md, F31."""
    script = (
        f"sleep 0.2; (echo $(exec sh -c 'echo $PPID') > {tmp_path}/child; sleep 60) & echo $$ > {tmp_path}/job; wait"
    )
    server.offer(script=script)
    job, child = await number_in(tmp_path / "job"), await number_in(tmp_path / "child")
    [shepherd] = worker.shepherds()

    mine, *of_worker = (readiness(pid) for pid in (os.getpid(), worker.pid, shepherd))

    assert of_worker == [mine, mine]
    assert (readiness(job), readiness(child)) == (500, 500)
    assert mine < 500


def readiness(pid: int) -> int:
    """How much sooner than others the kernel kills it for want of memory."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("what", ["changes", "grows", "becomes shorter"])
async def test_of_a_file_that_changes_while_it_is_sent_the_report_tells_what_was_sent(
    server: FakeServer, worker: WorkerProcess, what: str
) -> None:
    """By somebody outside the job: its own processes are gone by then. Source: guarantees.md, F40."""
    changed: list[int] = []

    async def change(request: Any, _body: bytes) -> None:  # noqa: ANN401
        if changed:
            return
        changed.append(1)
        with (worker.work_dir / "jobs" / attempt / "work" / request.match_info["what"]).open("r+b") as file:
            if what == "becomes shorter":
                file.truncate(SIZE_BYTES // 2)
            else:
                file.seek(SIZE_BYTES - 1000 if what == "changes" else SIZE_BYTES)
                file.write(b"x" * 2000)

    server.override["upload"] = change
    attempt = server.offer(script=f"head -c {SIZE_BYTES} /dev/zero > big", artifacts=["big"])

    report = await server.report(attempt)

    [big] = report["artifacts"]
    stored = bytes(server.uploads[attempt, "big"])
    assert (big["size_bytes"], big["sha256"]) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert big["size_bytes"] == (SIZE_BYTES // 2 if what == "becomes shorter" else SIZE_BYTES)
    told = [(one["path"], one["message"]) for one in report.get("problems", [])]
    assert told == ([] if what == "grows" else [("big", "changed while it was collected")])
    assert report["result"]["exit_code"] == 0
