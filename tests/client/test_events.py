"""The SDK's stream of events: resumed after a break, and honest where it cannot be."""

import threading
from pathlib import Path

import pytest

from house import Server, servers
from rota.client import AsyncClient, Client
from rota.protocol.event import EventType
from rota.protocol.problems import Gone, InvalidRequest, Unauthenticated
from waiting import until


async def test_events_are_iterated_over_and_resumed_where_they_stopped(tmp_path: Path) -> None:
    with servers() as started:
        server = Server(tmp_path / "data")
        started.append(server)
        async with AsyncClient(server.url, server.admin_token) as rota:
            stream = rota.events(types=["dev.rota.job.submitted"])
            await stream.begin()
            job = await rota.submit(command=["true"])
            first = await anext(stream)
            assert first.subject == job.id
            place = stream.position
            await stream.aclose()

            await rota.submit(command=["true"])
            behind = rota.events(after=place or "", types=["dev.rota.job.submitted"])
            second = await anext(behind)
            await behind.aclose()

    assert second.type == EventType.JOB_SUBMITTED
    assert second.id != first.id


def test_the_blocking_face_iterates_too(tmp_path: Path) -> None:
    with servers() as started:
        server = Server(tmp_path / "data")
        started.append(server)
        with Client(server.url, server.admin_token) as rota:
            everything = rota.events()
            job = rota.submit(command=["true"])
            assert next(everything).subject == job.id
            events = rota.events(after="oldest", job_id=job.id)
            assert next(events).subject == job.id
            told: list[str] = []
            waiting = threading.Thread(target=lambda: told.append(next(events).type))
            waiting.start()
            rota.cancel(job.id)
            waiting.join(10)
            assert told == [EventType.JOB_CANCELLED]
            assert events.position is not None
            events.close()


def test_a_place_that_is_no_longer_kept_is_told_and_not_skipped(tmp_path: Path) -> None:
    with servers() as started:
        server = Server(tmp_path / "data", ROTA_EVENTS_MAX="2")
        started.append(server)
        with Client(server.url, server.admin_token) as rota:
            rota.submit_many([{"command": ["true"]}] * 10)
            events = rota.events(after="oldest")
            first = next(events).id
            events.close()
            log = first.partition("-")[0]

            def is_forgotten() -> bool:
                try:
                    next(rota.events(after=f"{log}-1"))
                except Gone as gone:
                    return gone.oldest == f"{log}-9"
                return False

            assert until(is_forgotten, 15)


def test_what_the_server_refuses_is_raised_at_once(tmp_path: Path) -> None:
    with servers() as started:
        server = Server(tmp_path / "data")
        started.append(server)
        with Client(server.url, server.admin_token) as rota, pytest.raises(InvalidRequest):
            next(rota.events(types=["nothing"]))
        with Client(server.url, "rota_wrong") as rota, pytest.raises(Unauthenticated):
            next(rota.events())
