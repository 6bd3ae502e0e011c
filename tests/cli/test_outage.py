"""The server goes away while the command line watches a job: the log is whole, the end is the job's."""

from pathlib import Path

from cli.conftest import Shell, variables
from house import Server, Worker
from rota import Client
from waiting import until

COUNT = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo number $i; sleep 0.25; done; exit 6"


def test_a_log_that_was_dropped_is_resumed_and_never_looks_like_the_end(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "worker")
    try:
        with Client(server.url, server.admin_token) as client:
            until(client.workers)
        rota = Shell(variables(tmp_path, ROTA_SERVER=server.url, ROTA_TOKEN=server.admin_token), tmp_path)
        running = rota.start("run", "--", "sh", "-c", COUNT)
        assert running.stdout is not None
        lines = [running.stdout.readline(), running.stdout.readline()]
        server.kill()
        server.start()
        rest, stderr = running.communicate(timeout=60)
    finally:
        worker.stop()
        server.stop()

    assert (b"".join(lines) + rest).decode().splitlines() == [f"number {n}" for n in range(1, 13)]
    assert running.returncode == 6, stderr.decode()
