"""The SDK: submit jobs, follow them, fetch what they made. It knows the protocol only.

from rota import Client

with Client() as rota:
    job = rota.submit(command=["sh", "-c", "echo hello; exit 3"]).wait()
    print(job.log().decode(), job.result.exit_code)
"""

from rota.client.blocking import Client, Follow, Job
from rota.client.blocking_events import Events
from rota.client.blocking_schedules import Schedules
from rota.client.client import AsyncClient
from rota.client.events import EventStream
from rota.client.follow import LogStream
from rota.client.handle import AsyncJob
from rota.client.profile import Endpoint, NoServer, find_endpoint
from rota.client.schedules import AsyncSchedules
from rota.client.transport import NotReached, NotUnderstood
from rota.client.unpack import UnsafeArchive

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "AsyncSchedules",
    "Client",
    "Endpoint",
    "EventStream",
    "Events",
    "Follow",
    "Job",
    "LogStream",
    "NoServer",
    "NotReached",
    "NotUnderstood",
    "Schedules",
    "UnsafeArchive",
    "find_endpoint",
]
