"""HyperQueue: its Python wheel runs server and worker in this one process; no journal, output in a file a task.

The wheel's own wait looks once a second. Here the server is asked every millisecond to forget the job, which it does
once the job has ended and refuses before; a task that fails would be seen by its output.
"""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from measured import COMMAND, PROCESSES, WITHIN_S, fail, serve

os.environ.update(RUST_BACKTRACE="0", RUST_LIB_BACKTRACE="0")  # a refusal would carry one
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

LOOK_S = 0.001
folder = Path(sys.argv[1])

with LocalCluster(str(folder / "server")) as cluster:
    cluster.start_worker(WorkerConfig(cores=PROCESSES * 4))
    client = cluster.client()

    def many(count: int) -> Sequence[object]:
        """Submit as one job of many tasks, and read every output."""
        outputs = folder / "outputs"
        shutil.rmtree(outputs, ignore_errors=True)
        outputs.mkdir()
        job = Job(default_workdir=outputs)
        for number in range(count):
            job.program(COMMAND, stdout=str(outputs / f"{number}"), stderr=None)
        submitted = client.submit(job)
        end_s = time.monotonic() + WITHIN_S
        while not has_ended(submitted.id):
            if time.monotonic() > end_s:
                fail(f"{count} jobs have not ended")
            time.sleep(LOOK_S)
        return [[0, (outputs / f"{number}").read_text()] for number in range(count)]

    def has_ended(job: int) -> bool:
        """Whether the server holds the job for ended."""
        try:
            client.connection.forget_job(job)
        except RuntimeError:
            return False
        return True

    serve(many)
