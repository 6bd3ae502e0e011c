"""A worker's own life: stopped, killed, frozen, restarted. Source: guarantees.md, G9, G10, F17, F19, F34, F41, F44."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from worker.fake_server import FakeServer, problem
from worker.rig import MakeWorker, WorkerProcess, eventually, gone, number_in


async def test_sigterm_drains(server: FakeServer, worker: WorkerProcess, tmp_path: Path) -> None:
    """What runs is finished and reported, nothing more is asked for, the last word is `offline`."""
    go_on = tmp_path / "go-on"
    attempt = server.offer(script=f"until [ -e {go_on} ]; do sleep 0.05; done; exit 4")
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGTERM)
    await server.until(lambda: "status: draining" in server.order())
    asked = len(server.named("get-job"))
    go_on.touch()

    assert await worker.ended() == 0

    assert server.finished[attempt]["result"]["exit_code"] == 4
    assert len(server.named("get-job")) == asked
    assert server.order()[-1] == "status: offline"
    await eventually(lambda: worker.shepherds() == [])


async def test_an_idle_worker_leaves_at_once(server: FakeServer, worker: WorkerProcess) -> None:
    await server.until(lambda: server.named("get-job"))
    worker.signal(signal.SIGTERM)

    assert await worker.ended(within_s=5) == 0
    assert server.order()[-1] == "status: offline"


async def test_what_was_given_and_not_started_is_refused_when_draining(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    async def told_meanwhile(_request: Any, body: Any) -> None:  # noqa: ANN401
        if body["status"] == "working":
            worker.signal(signal.SIGTERM)
            await eventually(lambda: "draining" in worker.said)

    server.override["status"] = told_meanwhile
    attempt = server.offer("touch", str(tmp_path / "started"))

    assert await worker.ended() == 0

    assert [one["attempt_id"] for one in server.named("refuse-job")[0].body["attempts"]] == [attempt]
    assert not (tmp_path / "started").exists()


async def test_a_second_sigterm_stops_the_jobs(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="trap 'exit 9' TERM; while :; do sleep 0.05 || :; done")
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGTERM)
    await eventually(lambda: "draining" in worker.said)
    worker.signal(signal.SIGTERM)

    assert await worker.ended() == 0

    result = server.finished[attempt]["result"]
    assert (result["reason"], result["exit_code"]) == ("cancelled", 9)
    assert server.order()[-1] == "status: offline"


async def test_a_registry_that_asks_for_it_drains_the_worker(server: FakeServer, worker: WorkerProcess) -> None:
    async def drain(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        return web.json_response({"received": True, "drain": True})

    await server.until(lambda: server.named("get-job"))
    server.override["status"] = drain

    assert await worker.ended() == 0


async def test_the_next_agent_reports_what_ran_on_under_the_shepherd(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Source: architecture.md, "The worker is two processes"; guarantees.md, F31."""
    go_on = tmp_path / "go-on"
    script = f"echo before; until [ -e {go_on} ]; do sleep 0.05; done; echo after; echo 1 > out"
    attempt = server.offer(script=script, artifacts=["out"])
    await server.until(lambda: server.uploads.get((attempt, "log")))
    worker.signal(signal.SIGKILL)
    await worker.ended()
    before = len(server.calls)
    worker.start(token=None)
    await server.until(lambda: len(server.calls) > before)
    go_on.touch()

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 0
    assert server.log_of(attempt) == b"before\nafter\n"
    assert [artifact["path"] for artifact in report["artifacts"]] == ["out"]
    assert server.calls[before].name == "status"
    assert server.calls[before].body["attempts"] == [attempt]
    incarnations = {call.headers["Rota-Incarnation"] for call in server.calls}
    assert len(incarnations) == 2
    assert len(server.named("enrol")) == 1


async def test_a_log_that_its_job_cut_behind_the_agents_back_costs_the_log_and_not_the_result(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    script = f"head -c 200000 /dev/zero; until [ -e {cut} ]; do sleep 0.05; done; truncate -s 100000 ../log; exit 7"
    attempt = server.offer(script=script)
    await server.until(lambda: len(server.uploads.get((attempt, "log"), b"")) == 200_000)
    worker.signal(signal.SIGKILL)  # what the first agent sent, the second cannot digest
    await worker.ended()
    cut.touch()
    worker.start(token=None)

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 7
    assert (report["log"]["size_bytes"], [problem["what"] for problem in report["problems"]]) == (0, ["log"])
    assert (await server.report(server.offer(script="true")))["result"]["exit_code"] == 0, "it goes on"


async def test_what_ended_while_no_agent_was_there_is_reported(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    attempt = server.offer(script=f"until [ -e {go_on} ]; do sleep 0.05; done; exit 6")
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGKILL)
    await worker.ended()
    go_on.touch()
    await eventually((worker.work_dir / "jobs" / attempt / "ended").exists)
    [shepherd] = worker.shepherds()
    os.kill(shepherd, signal.SIGKILL)
    await gone(shepherd)
    worker.start()

    assert (await server.report(attempt))["result"]["exit_code"] == 6


async def test_a_report_that_was_not_received_is_sent_by_the_next_agent(
    server: FakeServer, worker: WorkerProcess
) -> None:
    """Source: guarantees.md, F41, F44."""

    async def unavailable(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(503, "unavailable")

    server.override["job-finished"] = unavailable
    attempt = server.offer(script="head -c 200000 /dev/zero > big; echo $?", artifacts=["big"])
    await server.until(lambda: server.named("job-finished"))
    worker.signal(signal.SIGKILL)
    await worker.ended()
    [first] = [call.body["attempts"][0] for call in server.named("job-finished")][:1]
    del server.override["job-finished"]
    before = len(server.calls)
    worker.start()

    assert await server.report(attempt) == first
    status = next(call for call in server.calls[before:] if call.name == "status")
    assert status.body["attempts"] == [attempt]
    await eventually(lambda: list((worker.work_dir / "spool").iterdir()) == [])


async def test_a_report_that_nobody_wants_is_dropped_and_said(server: FakeServer, worker: WorkerProcess) -> None:
    async def rejected(_request: Any, body: Any) -> Any:  # noqa: ANN401
        lost = {"type": "https://rota.dev/problems/lease-lost", "title": "lost", "status": 409, "detail": "too late"}
        ids = [one["attempt_id"] for one in body["attempts"]]
        return web.json_response({"received": [], "rejected": [{"attempt_id": one, "problem": lost} for one in ids]})

    server.override["job-finished"] = rejected
    server.offer("true")
    await eventually(lambda: "too late" in worker.said)
    del server.override["job-finished"]

    await server.report(server.offer("true"))
    await eventually(lambda: list((worker.work_dir / "spool").iterdir()) == [])


async def test_the_shepherd_kills_when_the_agent_is_frozen(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Source: guarantees.md, G9, F19."""
    server.lease_s, server.heartbeat_s = 1.5, 0.4
    mark = tmp_path / "pid"
    attempt = server.offer(script=f"trap '' TERM; echo $$ > {mark}; while :; do sleep 0.05 || :; done")
    pid = await number_in(mark)
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGSTOP)

    await gone(pid, within_s=3)

    worker.signal(signal.SIGCONT)
    await server.report(server.offer("true"))
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0
    assert attempt not in server.finished


async def test_a_job_whose_lease_is_about_to_end_is_told_to_stop_first(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """SIGTERM, its grace, SIGKILL, all before the lease ends; the grace is a tenth of the lease at most."""
    server.lease_s, server.heartbeat_s = 3, 0.4
    polite = f"trap 'date +%s.%N > {tmp_path}/told; exit 0' TERM; echo $$ > {tmp_path}/polite"
    server.offer(script=f"{polite}; while :; do sleep 0.02 || :; done")
    server.offer(script=f"trap '' TERM; echo $$ > {tmp_path}/deaf; while :; do sleep 0.05 || :; done")
    pids = [await number_in(tmp_path / name) for name in ("polite", "deaf")]
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGSTOP)
    frozen_at = time.time()

    for pid in pids:
        await gone(pid, within_s=4)

    assert time.time() - frozen_at < server.lease_s
    assert frozen_at < float((tmp_path / "told").read_text()) < frozen_at + server.lease_s


async def test_a_job_outlives_leases_while_they_are_renewed(server: FakeServer, worker: WorkerProcess) -> None:
    server.lease_s = 1.5
    server.heartbeat_s = 0.4
    attempt = server.offer("sleep", "4")

    assert (await server.report(attempt))["result"]["exit_code"] == 0


async def test_a_short_lease_is_renewed_in_time_also_of_an_offer_that_was_long_in_coming(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    """The time for which the question was held is in the offer's lease, and is over when it comes."""
    server.heartbeat_s, server.lease_s, server.hold_s = 0.5, 1.5, 9
    worker = make_worker(stop_margin_s=1, first_heartbeat_s=1).start()
    await server.until(lambda: len(server.named("get-job")) >= 1)
    await server.until(lambda: len(server.named("status")) >= 7)  # said again every 0.5 s
    attempt = server.offer("sleep", "2")

    assert (await server.report(attempt))["result"]["exit_code"] == 0
    assert "lease" not in worker.said


async def test_results_wait_for_the_server(server: FakeServer, worker: WorkerProcess, tmp_path: Path) -> None:
    """Source: guarantees.md, G10, F24."""
    go_on = tmp_path / "go-on"
    attempt = server.offer(script=f"until [ -e {go_on} ]; do sleep 0.05; done; exit 2")
    await server.until(lambda: server.named("heartbeat"))
    port = int(server.url.rpartition(":")[2])
    await server.stop()
    go_on.touch()
    await eventually(lambda: "results wait" in worker.said)
    await server.start(port)

    assert (await server.report(attempt))["result"]["exit_code"] == 2


async def test_a_restart_needs_no_token(server: FakeServer, worker: WorkerProcess) -> None:
    await server.report(server.offer("true"))
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0
    worker.start(token=None)

    await server.report(server.offer("true"))

    assert len(server.named("enrol")) == 1
    assert (worker.work_dir / "credential.json").stat().st_mode & 0o777 == 0o600


async def test_a_worker_that_the_server_forgot_enrols_anew_and_works_on(
    server: FakeServer, worker: WorkerProcess
) -> None:
    await server.report(server.offer("true"))
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0

    async def enrol(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        credential = {"method": "jwt", "token": "t9", "expires_at": None}
        urls = {"gateway_url": server.url, "registry_url": server.url}
        answer = {"worker_id": "w9", "environment": "e", "credential": credential, "heartbeat_s": 1, **urls}
        return web.json_response(answer, status=201)

    async def unless_new(request: Any, _body: Any) -> Any:  # noqa: ANN401
        return None if request.headers["Authorization"] == "Bearer t9" else problem(401, "unauthenticated")

    server.override |= dict.fromkeys(("get-job", "status", "heartbeat", "renew", "job-finished"), unless_new)
    server.override["enrol"] = enrol
    worker.start()

    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0
    assert b'"t9"' in (worker.work_dir / "credential.json").read_bytes()
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0


async def test_a_refused_token_ends_the_worker_with_a_message(server: FakeServer, make_worker: MakeWorker) -> None:
    worker = make_worker(token="wrong").start()

    assert await worker.ended() == 4
    assert "token" in worker.said
    assert "Traceback" not in worker.said


async def test_a_worker_waits_for_a_server_that_is_not_there_yet(server: FakeServer, make_worker: MakeWorker) -> None:
    port = int(server.url.rpartition(":")[2])
    await server.stop()
    worker = make_worker().start()
    await eventually(lambda: "trying until it does" in worker.said)
    await server.start(port)

    await server.report(server.offer("true"))


async def test_a_revoked_credential_ends_the_worker_with_a_message(server: FakeServer, worker: WorkerProcess) -> None:
    async def no(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(401, "unauthenticated")

    await server.until(lambda: server.named("get-job"))
    server.override |= dict.fromkeys(("get-job", "status", "heartbeat", "renew"), no)

    assert await worker.ended() == 4
    assert "no longer accepts" in worker.said
    assert "Traceback" not in worker.said


async def test_a_credential_is_renewed_before_it_expires(server: FakeServer, worker: WorkerProcess) -> None:
    await server.until(lambda: server.named("get-job"))

    async def expired(request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(401, "unauthenticated") if request.headers["Authorization"] == "Bearer t1" else None

    server.override |= dict.fromkeys(("get-job", "status", "heartbeat"), expired)
    await server.report(server.offer("true"))

    assert len(server.named("renew")) == 1
    assert b'"t2"' in (worker.work_dir / "credential.json").read_bytes()


async def test_a_second_worker_in_the_same_folder_says_so(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    await server.until(lambda: server.named("get-job"))
    second = WorkerProcess(server, worker.work_dir)
    second.said_file = tmp_path / "second.said"

    assert await second.start().ended() == 125
    assert "another worker" in second.said


async def test_nothing_is_sent_in_the_clear_to_another_machine(server: FakeServer, make_worker: MakeWorker) -> None:
    worker = make_worker().start(server_url="http://rota.example.org")

    assert await worker.ended() == 2
    assert "https://" in worker.said


async def test_a_full_disk_loses_no_result_and_ends_no_worker(
    server: FakeServer, make_worker: MakeWorker, small_disk: Path, tmp_path: Path
) -> None:
    """Source: guarantees.md, F34; actions/runner#1807."""
    worker = make_worker()
    worker.said_file, worker.work_dir = tmp_path / "said", small_disk / "w"
    worker.start()
    attempt = server.offer(script="echo hi; cat /dev/zero > fill || echo full; echo more; exit 7")

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 7
    assert worker.process is not None
    assert worker.process.poll() is None
    await eventually(lambda: not list((worker.work_dir / "jobs").glob("*/*/fill")))
    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0


async def test_pauses_grow_and_differ(server: FakeServer, make_worker: MakeWorker) -> None:
    """Full jitter: what two workers ask of a broken gateway does not come at the same times."""

    async def broken(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(503, "unavailable")

    server.override["get-job"] = broken
    workers = [make_worker(name).start() for name in ("a", "b")]
    await server.until(lambda: len(server.named("get-job")) >= 8)

    assert all(re.search("does not answer", worker.said) for worker in workers)
