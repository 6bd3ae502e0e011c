"""Celery's task, and the application as its workers import it."""

import os

from celery import Celery
from measured import run_command

URL = os.environ["ROTA_PEER_URL"]
app = Celery("celery_tasks", broker=URL, backend=URL)
app.conf.update(
    worker_prefetch_multiplier=64, task_serializer="json", result_serializer="json", broker_pool_limit=4,
    worker_send_task_events=False, task_send_sent_event=False, broker_connection_retry_on_startup=True,
)  # fmt: skip


@app.task  # type: ignore[untyped-decorator]
def job() -> list[int | str]:
    """One job."""
    return run_command()
