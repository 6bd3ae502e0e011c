"""A followed log: whole, in order, and ended by `end` alone."""

import base64
import json

import pytest

from client.fake_server import FakeServer, HurriedWorld, answer, problem, stream
from rota import AsyncClient
from rota.client import LogStream, NotReached, NotUnderstood
from rota.protocol.problems import NotFound
from rota.protocol.states import JobState

END = 'event: end\nid: 9\ndata: {"state": "finished", "verdict": "failed", "result": null}\n\n'
PING = ": still here\n\n"


def piece(content: bytes, offset: int) -> str:
    return f"id: {offset}\ndata: {base64.b64encode(content).decode()}\n\n"


def attempt(number: int) -> str:
    return f"event: attempt\nid: 0\ndata: {json.dumps({'number': number})}\n\n"


async def followed(server: FakeServer) -> tuple[bytes, LogStream]:
    async with AsyncClient(server.url, "secret", world=HurriedWorld()) as client:
        stream_of_log = client.follow("j1")
        log = b"".join([part async for part in stream_of_log])
    return log, stream_of_log


async def test_bytes_come_as_they_were_written_and_the_end_says_how_it_ended() -> None:
    async with FakeServer(stream(piece(b"a\r\xff", 3), PING, piece(b"\0b", 5), END)) as server:
        log, told = await followed(server)

    assert log == b"a\r\xff\0b"
    assert told.end is not None
    assert told.end.state is JobState.FINISHED
    assert server.asked[0].headers["accept"] == "text/event-stream"
    assert server.asked[0].path == "/api/v1/jobs/j1/log?encoding=base64"


async def test_a_dropped_stream_is_taken_up_where_it_stopped_and_is_no_end() -> None:
    async with FakeServer(
        stream(piece(b"one ", 4)),
        stream(PING),
        problem(503, "unavailable", "restarting"),
        stream(piece(b"two", 7), END),
    ) as server:
        log, told = await followed(server)

    assert log == b"one two"
    assert told.breaks == 3
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "4", "4", "4"]


async def test_an_event_cut_in_two_is_not_half_believed() -> None:
    whole = piece(b"one", 3)
    async with FakeServer(stream(whole[:-1]), stream(whole[:10]), stream(whole, END)) as server:
        log, _ = await followed(server)

    assert log == b"one"


async def test_a_new_attempt_begins_at_its_first_byte() -> None:
    async with FakeServer(
        stream(piece(b"first ", 6), attempt(2), piece(b"second", 6)), stream(piece(b"!", 7), END)
    ) as server:
        log, told = await followed(server)

    assert log == b"first second!"
    assert told.attempt == 2
    assert server.asked[1].headers["last-event-id"] == "6"


async def test_a_drop_right_behind_a_new_attempt_does_not_resume_at_the_old_ones_offset() -> None:
    async with FakeServer(stream(piece(b"first ", 6), attempt(2)), stream(piece(b"second", 6), END)) as server:
        log, _ = await followed(server)

    assert log == b"first second"
    assert "last-event-id" not in server.asked[1].headers


async def test_an_attempt_that_began_while_the_stream_was_down_is_read_from_its_start() -> None:
    async with FakeServer(
        stream(attempt(1), piece(b"first ", 6)),
        stream(attempt(2), piece(b"d", 6), END),
        stream(attempt(2), piece(b"second", 6), END),
    ) as server:
        log, _ = await followed(server)

    assert log == b"first second"
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "6", None]


async def test_an_attempt_that_ended_before_our_offset_while_the_stream_was_down_is_read_from_its_start() -> None:
    body = {"type": "https://rota.dev/problems/offset-mismatch", "status": 409, "detail": "ended", "offset": 2}
    async with FakeServer(
        stream(attempt(1), piece(b"first ", 6)),
        answer(409, body),
        stream(attempt(2), END),
        stream(attempt(2), piece(b"2.", 2), END),
    ) as server:
        log, _ = await followed(server)

    assert log == b"first 2."
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "6", "2", None]


async def test_a_server_that_stays_away_is_told_as_such_and_not_as_an_end() -> None:
    async with FakeServer(b"") as server, AsyncClient(server.url, world=HurriedWorld(), outage_s=60) as client:
        told = client.follow("j1")
        with pytest.raises(NotReached):
            await anext(told)

    assert told.end is None
    assert len(server.asked) > 5


async def test_a_job_that_is_not_there_is_no_reason_to_wait() -> None:
    async with FakeServer(problem(404, "not-found", "There is no such job.")) as server:
        with pytest.raises(NotFound):
            await followed(server)

    assert len(server.asked) == 1


async def test_what_is_no_event_stream_is_refused() -> None:
    async with FakeServer(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi") as server:
        with pytest.raises(NotUnderstood):
            await followed(server)
