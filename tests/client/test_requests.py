"""What the SDK asks again, what it does not, and what it raises."""

from urllib.parse import quote

import pytest

from client.fake_server import FakeServer, HurriedWorld, a_job, answer, problem, response
from rota import AsyncClient
from rota.client import NotReached, NotUnderstood
from rota.protocol.problems import InvalidRequest, NotFound, Unavailable

CUT = b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"


def client_of(server: FakeServer, world: HurriedWorld | None = None) -> AsyncClient:
    return AsyncClient(server.url, "secret", world=world or HurriedWorld())


async def test_a_submission_that_is_repeated_bears_the_same_key_and_the_same_body() -> None:
    busy = problem(503, "unavailable", "starting", "Retry-After: 2")
    async with FakeServer(CUT, busy, answer(201, a_job())) as server, client_of(server) as client:
        job = await client.submit(command=["true"], tags={"a": "b"})

    assert job.id == "j1"
    assert len(server.asked) == 3
    assert {asked.body for asked in server.asked} == {b'{"command":["true"],"tags":{"a":"b"}}'}
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert server.asked[0].headers["authorization"] == "Bearer secret"


async def test_two_submissions_bear_two_keys() -> None:
    async with FakeServer(answer(201, a_job())) as server, client_of(server) as client:
        await client.submit(command=["true"])
        await client.submit(command=["true"])

    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2


async def test_retry_after_is_waited_for() -> None:
    world = HurriedWorld()
    busy = problem(429, "rate-limited", "slower", "Retry-After: 7")
    async with FakeServer(busy, answer(200, a_job())) as server, client_of(server, world) as client:
        await client.job("j1")

    assert 7 <= world.slept[0] < 8


async def test_patience_ends_with_what_the_server_said() -> None:
    world = HurriedWorld()
    busy = problem(503, "unavailable", "The disk is full.", "Retry-After: 5")
    async with FakeServer(busy) as server, client_of(server, world) as client:
        with pytest.raises(Unavailable, match="The disk is full"):
            await client.job("j1")

    assert 20 < sum(world.slept) <= 30


async def test_a_retry_whose_answer_was_lost_is_not_sent_again() -> None:
    async with FakeServer(CUT) as server, client_of(server) as client:
        with pytest.raises(NotReached):
            await client.retry("j1")

    assert len(server.asked) == 1


async def test_a_token_whose_answer_was_lost_is_not_made_twice() -> None:
    async with FakeServer(CUT) as server, client_of(server) as client:
        with pytest.raises(NotReached):
            await client.create_credential("default", "submit")

    assert len(server.asked) == 1


async def test_a_problem_is_raised_again_with_its_fields() -> None:
    refused = answer(
        422,
        {
            "type": "https://rota.dev/problems/invalid-request",
            "detail": "jobs[3].command: is empty",
            "errors": [{"field": "jobs[3].command", "message": "is empty"}],
        },
    )
    async with FakeServer(refused) as server, client_of(server) as client:
        with pytest.raises(InvalidRequest) as raised:
            await client.submit_many([{"command": []}])

    assert [error.field for error in raised.value.extra["errors"]] == ["jobs[3].command"]
    assert len(server.asked) == 1


async def test_what_is_not_there_is_not_asked_for_twice() -> None:
    async with FakeServer(problem(404, "not-found", "There is no such job.")) as server, client_of(server) as client:
        with pytest.raises(NotFound, match="no such job"):
            await client.job("j1")

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "page",
    [
        response(200, b"<html>router login</html>", "text/html"),
        response(404, b"<html>not here</html>", "text/html"),
        response(302, b"", "text/html", "Location: https://elsewhere.example/"),
        answer(200, {"jobs": "none"}),
    ],
    ids=["a page", "a page that says 404", "a redirect", "another service's JSON"],
)
async def test_what_is_no_rota_server_is_said_to_be_none(page: bytes) -> None:
    async with FakeServer(page) as server, client_of(server) as client:
        with pytest.raises(NotUnderstood):
            await client.job("j1")

    assert len(server.asked) == 1, "a token is not sent on to where a redirect points"


async def test_nobody_at_the_address_is_said_with_where_the_address_came_from() -> None:
    async with FakeServer(b"") as server:
        url = server.url
    async with AsyncClient(url, world=HurriedWorld()) as client:
        with pytest.raises(NotReached, match=r"\(from argument\) cannot be reached"):
            await client.job("j1")


async def test_a_list_is_fetched_page_by_page_and_no_further_than_wanted() -> None:
    first = answer(200, {"jobs": [a_job(id=f"a{n}") for n in range(3)], "next_cursor": "more"})
    second = answer(200, {"jobs": [a_job(id=f"b{n}") for n in range(2)], "next_cursor": "more"})
    async with FakeServer(first, second) as server, client_of(server) as client:
        ids = [job.id async for job in client.jobs(5, state="queued")]

    assert ids == ["a0", "a1", "a2", "b0", "b1"]
    assert [asked.path for asked in server.asked] == [
        "/api/v1/jobs?state=queued&limit=5",
        "/api/v1/jobs?state=queued&limit=2&cursor=more",
    ]


async def test_waiting_outlasts_an_outage() -> None:
    done = answer(200, a_job(state="finished"))
    busy = problem(503, "unavailable", "restarting", "Retry-After: 20")
    async with FakeServer(busy, CUT, busy, done) as server, client_of(server) as client:
        job = await client.wait("j1")

    assert job.ended


async def test_waiting_for_a_job_that_goes_on_ends_in_time_and_says_so() -> None:
    async with FakeServer(answer(200, a_job(state="running"))) as server, client_of(server) as client:
        with pytest.raises(TimeoutError, match="goes on"):
            await client.wait("j1", timeout_s=0.2)


@pytest.mark.parametrize("job_id", ["a/../../environments", "%2e%2e", "x\ny", "a?b#c"])
async def test_an_id_leads_to_no_other_path(job_id: str) -> None:
    async with FakeServer(answer(200, a_job())) as server, client_of(server) as client:
        await client.job(job_id)

    assert [asked.path for asked in server.asked] == [f"/api/v1/jobs/{quote(job_id, '')}"]


async def test_what_makes_no_request_is_refused_here() -> None:
    async with FakeServer(answer(200, a_job())) as server, client_of(server) as client:
        for deed in (
            client.job("\udcff"),
            client.job(".."),
            client.job(""),
            client.submit(command=["\udcff"]),
            anext(client.jobs(name="\udcff")),
            anext(client.jobs(name="x" * 100_000)),
        ):
            with pytest.raises(InvalidRequest):
                await deed

    assert server.asked == []
