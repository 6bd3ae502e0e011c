"""Thousands of idle workers with a held getJob: what they cost the server, and how soon one of them has a job."""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

import question
from scene import house, starting_server, submit, until
from spent import cpu_s, rss_mb
from table import Answer, Bar, Figure, Row, part_of, told

FULL = {"workers": 5000, "seconds": 60, "jobs": 200}
QUICK = {"workers": 500, "seconds": 5, "jobs": 50}
CLIENT = Path(__file__).resolve().parent / "many_workers.py"
HEARTBEAT_S = 10
SETTLES_S = 2


def measure(asked: argparse.Namespace) -> Answer:
    """Two rows: memory and CPU of a server whom thousands ask; submission to offer, and how many were woken for it."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(files, asked.workers + 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))  # the server inherits it; root may raise it
    with starting_server() as server, server.client() as client:
        pid = server.process.pid
        # Nobody is lost meanwhile: a status each heartbeat is measured apart from the waiting.
        patient = {"name": "patient", "worker_auth": "jwt", "heartbeat_s": 3600, "lease_s": 20_000}
        assert client.post("/api/v1/environments", json=patient).status_code == 201
        with _workers(server, 1) as alone:
            alone_ms, alone_cpu_ms = _offered(server, alone, asked.jobs)
        empty_mb = rss_mb(pid)
        with _workers(server, asked.workers) as many:
            until(lambda: _held(client) == asked.workers, 60, "all getJobs are held")
            time.sleep(SETTLES_S)
            each_kb = (rss_mb(pid) - empty_mb) * 1024 / asked.workers
            idle = _cpu_percent(pid, asked.seconds)
            took_ms, cpu_ms = _offered(server, many, asked.jobs)
            assert many.stdin is not None
            many.stdin.write(f"statuses {HEARTBEAT_S}\n")
            many.stdin.flush()
            with_statuses = _cpu_percent(pid, asked.seconds)
    cost = Row(
        f"{asked.workers:,} idle workers long-polling",
        [Figure([each_kb], Bar("≤", 32), "memory", "KB each"), Figure([idle], Bar("≤", 3), "CPU", "% of a core")],
        f"server's RSS, its record of them included; CPU over {asked.seconds} s, each getJob held for 60 s; "
        f"with a status of each every {HEARTBEAT_S} s as well: {with_statuses:.1f} % of a core",
    )
    offer = Row(
        f"submit → offered, {asked.workers:,} idle workers waiting",
        [
            Figure([part_of(took_ms, 0.5)], Bar("≤", 50), "p50", "ms"),
            Figure([part_of(took_ms, 0.99)], name="p99", unit="ms"),
        ],
        f"{asked.jobs} jobs, one at a time, each answered to one worker; server CPU a job {cpu_ms:.2f} ms, and "
        f"{alone_cpu_ms:.2f} ms with one worker there (p50 {told([part_of(alone_ms, 0.5)])} ms): the others sleep on",
    )
    return Answer([cost, offer])


@contextmanager
def _workers(server: house.Server, count: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(CLIENT), server.url.removeprefix("http://"), "--workers", str(count)]
    command += ["--token", server.token("enrolment", "patient")]
    clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert clients.stdout is not None
        assert clients.stdout.readline() == "ready\n"
        yield clients
    finally:
        clients.terminate()
        clients.wait(30)


def _held(client: httpx2.Client) -> float:
    """How many getJobs the gateway holds now, by its metrics."""
    lines = client.get("/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("rota_get_job_held ")))


def _cpu_percent(pid: int, seconds: int) -> float:
    """Of one core, from now on."""
    before = cpu_s(pid)
    time.sleep(seconds)
    return 100 * (cpu_s(pid) - before) / seconds


def _offered(server: house.Server, clients: subprocess.Popen[str], jobs: int) -> tuple[list[float], float]:
    """Milliseconds from before each submission until a worker has its offer; and the server's CPU ms a job.

    Both processes read the same monotonic clock of the machine.
    """
    took_ms: list[float] = []
    assert clients.stdout is not None
    with server.client(server.token("submit", "patient")) as client:
        before = cpu_s(server.process.pid)
        for _ in range(jobs):
            began = time.monotonic()
            [job] = submit(client, 1)
            word, _, at = clients.stdout.readline().partition(" ")
            assert word == "offer", "the workers' process has ended"
            took_ms.append((float(at) - began) * 1000)
            house.ended(client, job)
        spent_s = cpu_s(server.process.pid) - before
    return took_ms, spent_s * 1000 / jobs


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
