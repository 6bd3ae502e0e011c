"""Procrastinate + PostgreSQL: two worker processes with four jobs each, woken by LISTEN/NOTIFY."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count as counter
from pathlib import Path

from measured import PROCESSES, WITHIN_S, children, fail, free_port, program, serve, wait_for_port

WORKER = [program("procrastinate"), "--app", "procrastinate_tasks.app", "worker", "--concurrency", "4"]
NUMBERS = counter()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own; its URL. As root it runs as `postgres`, since it does not run as root."""
    found = [*map(Path, filter(None, [shutil.which("postgres")])), *Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not found:
        fail("there is no PostgreSQL server")
    program_path = found[0].resolve()
    user = "postgres" if os.geteuid() == 0 else None
    data, port = folder / "postgres", free_port()
    data.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(data, user)
        folder.chmod(0o711)
    initdb = [str(program_path.with_name("initdb")), "-D", str(data), "-A", "trust", "-U", "postgres"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    server = [str(program_path), "-D", str(data), "-p", str(port), "-k", str(data), "-c", "listen_addresses=127.0.0.1"]
    with children(server, user=user):
        wait_for_port(port)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


with postgres(Path(sys.argv[1])) as url:
    os.environ["ROTA_PEER_URL"] = url
    import procrastinate_tasks as tasks

    connection = tasks.prepared()
    with tasks.app.open():
        tasks.app.schema_manager.apply_schema()

    def many(count: int) -> Sequence[object]:
        """Submit in one statement, and read every result."""
        numbers = [next(NUMBERS) for _ in range(count)]
        tasks.job.batch_defer(*({"number": number} for number in numbers))
        end_s = time.monotonic() + WITHIN_S
        while True:
            done = connection.execute("SELECT count(*) FROM kept WHERE number >= %s", (numbers[0],)).fetchone()
            if done is not None and done[0] == count:
                break
            if time.monotonic() > end_s:
                fail(f"{done} of {count} jobs have ended")
            time.sleep(0.002)
        rows = connection.execute("SELECT code, output FROM kept WHERE number >= %s", (numbers[0],))
        found: Sequence[object] = rows.fetchall()
        return found

    with tasks.app.open(), children(*[WORKER] * PROCESSES, ROTA_PEER_WORKS="yes"):
        serve(many)
    connection.close()
