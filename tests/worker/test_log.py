"""A job's log: byte-exact, in order, live, bounded. Source: guarantees.md, G13, F27, F28, F29."""

import hashlib
from typing import Any

import pytest
from aiohttp import web

from worker.fake_server import FakeServer, problem
from worker.rig import MakeWorker, WorkerProcess, eventually

MARK = b"\n[rota: log cut after 100000 bytes; the job goes on]\n"


async def test_bytes_that_are_no_text_come_as_they_were(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer("printf", r"\377\376\000\033[31m</script>\r\n\200")

    await server.report(attempt)

    assert server.log_of(attempt) == b"\xff\xfe\x00\x1b[31m</script>\r\n\x80"


async def test_stdout_and_stderr_keep_their_order(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done")

    await server.report(attempt)

    assert server.log_of(attempt).split() == [f"{kind}{i}".encode() for i in range(1, 10) for kind in "oe"]


async def test_a_log_is_sent_while_its_job_runs(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="echo first; sleep 600")
    await server.until(lambda: server.uploads.get((attempt, "log")))

    assert (bytes(server.uploads[attempt, "log"]), attempt in server.finished) == (b"first\n", False)
    server.cancel.add(attempt)
    await server.report(attempt)


async def test_a_large_log_arrives_whole_before_the_end_is_told(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(
        script="head -c 5000000 /dev/urandom > f; sha256sum < f > $ROTA_RESULT.sum; cat f; sleep 0.5; tail -c 1000 f"
    )

    log = (await server.report(attempt))["log"]

    stored = bytes(server.uploads[attempt, "log"])
    assert log == {"size_bytes": 5_001_000, "sha256": hashlib.sha256(stored).hexdigest()}
    assert stored[5_000_000:] == stored[4_999_000:5_000_000]


async def test_a_flood_is_cut_with_a_mark_and_the_job_goes_on(server: FakeServer, make_worker: MakeWorker) -> None:
    make_worker(log_size_bytes_max=100_000).start()
    attempt = server.offer(script="head -c 50000000 /dev/zero; echo done > out", artifacts=["out"])

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 0
    assert [artifact["path"] for artifact in report["artifacts"]] == ["out"]
    assert server.log_of(attempt) == b"\0" * 100_000 + MARK
    assert [(one["what"], "worker's limit" in one["message"]) for one in report["problems"]] == [("log", True)]


async def test_offsets_that_the_gateway_corrects_leave_no_gap_and_no_repeat(
    server: FakeServer, worker: WorkerProcess
) -> None:
    """An answer is lost: the bytes are stored, the worker does not know. Source: guarantees.md, F29."""
    lost: list[int] = []

    async def lose_answer(request: Any, body: bytes) -> Any:  # noqa: ANN401
        if lost:
            return None
        lost.append(1)
        server.uploads[request.match_info["attempt"], "log"] = bytearray(body)
        return problem(503, "unavailable")

    server.override["upload"] = lose_answer
    attempt = server.offer(script="seq 1 20000; sleep 0.7; seq 20001 40000")

    await server.report(attempt)

    assert server.log_of(attempt) == b"".join(b"%d\n" % i for i in range(1, 40_001))


async def test_a_log_over_the_servers_limit_ends_there_and_the_job_is_reported(
    server: FakeServer, worker: WorkerProcess
) -> None:
    async def limited(_request: Any, _body: bytes) -> Any:  # noqa: ANN401
        return problem(413, "too-large")

    server.override["upload"] = limited
    attempt = server.offer(script="head -c 200000 /dev/zero")

    report = await server.report(attempt)

    assert report["log"]["size_bytes"] == 0
    assert report["result"]["exit_code"] == 0
    assert "server's limit" in report["problems"][0]["message"]


async def test_a_log_that_its_job_changes_after_it_was_sent_is_told_as_not_collected(
    server: FakeServer, worker: WorkerProcess
) -> None:
    attempt = server.offer(script="mkfifo go; echo first; read -r _ < go; echo other > $ROTA_RESULT.d/../log; exit 3")
    await server.until(lambda: server.uploads.get((attempt, "log")))
    folder = worker.work_dir / "jobs" / attempt
    (folder / "result.d").mkdir()
    (folder / "work" / "go").write_text("go\n")

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 3
    assert report["log"]["size_bytes"] == 0
    assert [(one["what"], "changed by the job" in one["message"]) for one in report["problems"]] == [("log", True)]


async def test_a_live_log_that_cannot_be_sent_holds_up_no_heartbeat(server: FakeServer, worker: WorkerProcess) -> None:
    async def unavailable(_request: Any, _body: bytes) -> Any:  # noqa: ANN401
        return problem(503, "unavailable")

    server.override["upload"] = unavailable
    attempt = server.offer(script="while :; do echo x; sleep 0.05 || :; done")
    await eventually(lambda: len(server.named("heartbeat")) >= 3)

    server.cancel.add(attempt)
    assert (await server.report(attempt))["result"]["reason"] == "cancelled"


@pytest.mark.parametrize(("status", "slug"), [(404, "not-found"), (409, "lease-lost")])
async def test_an_upload_that_broke_off_and_is_no_longer_wanted_ends(
    server: FakeServer, worker: WorkerProcess, status: int, slug: str
) -> None:
    """How much is stored is asked with HEAD, whose answer has no body: the status alone tells that it is over."""
    attempt = server.offer(script="head -c 200000 /dev/zero")

    async def unavailable(_request: web.Request, _body: bytes) -> web.Response:
        return problem(503, "unavailable")

    async def over(_request: web.Request, _body: bytes) -> web.Response:
        return problem(status, slug)

    server.override.update(upload=unavailable, offset=over)

    await server.until(lambda: any(server.named("offset")))
    await server.until(lambda: server.named("status")[-1].body["attempts"] == [])  # its slot is free again

    assert attempt not in server.finished
