"""An outside scheduler: the question is signed, the answer is checked, and whatever it does, there is a decision.

Source: Standard Webhooks 1.0; docs/how-to/policies.md.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from rota.protocol.decide import Decision
from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import Spec
from rota.protocol.states import Verdict
from rota.scheduler.known import known_policies
from rota.scheduler.outside import ANSWER_SIZE_BYTES_MAX
from rota.scheduler.policies import Policies
from rota.settings import Settings
from rota.world import SystemWorld
from scheduler.ends import finished, lost, result

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SPEC = Spec(command=["make"], policy="triage")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Decide = Callable[[Answer], Awaitable[Decision]]


@pytest.fixture
async def decide() -> AsyncIterator[Decide]:
    """What is decided on a failed job, asked of an outside scheduler that answers so."""
    opened: list[tuple[Policies, web.AppRunner]] = []

    async def decided(answer: Answer) -> Decision:
        app = web.Application()
        app.router.add_post("/ask", answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/ask"
        policies = known_policies({"triage": url}, {"triage": SECRET}, 0.5, SystemWorld())
        opened.append((policies, runner))
        [decision] = await policies.decide([finished(SPEC, result(1), log_tail="disk full")])
        return decision

    yield decided
    for policies, runner in opened:
        await policies.close()
        await runner.cleanup()


async def test_it_is_asked_with_a_signature_and_its_answer_is_the_decision(decide: Decide) -> None:
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        asked.append(Webhook(SECRET).verify(body, dict(request.headers)))
        asked.append(request.headers["webhook-id"])
        return web.json_response({"again": {"delay_s": 60, "requires": {"disk": "big"}}, "message": "larger disk"})

    decision = await decide(answer)

    question, key = asked
    assert key == "j_a_1"
    assert {**question, "spec": question["spec"]["command"]} == {
        "job_id": "j", "attempt_id": "a", "state": "finished", "spec": ["make"], "result": question["result"],
        "tries": 1, "tries_max": 10, "losses": 0, "worker_id": None, "log_tail": "disk full",
        "usual": {"verdict": "failed"},
    }  # fmt: skip
    assert question["result"]["exit_code"] == 1
    assert (decision.delay_s, decision.requires, decision.verdict) == (60, {"disk": "big"}, None)
    assert decision.message == "exit 1, try 1 of 10, again in 60 s with disk=big: policy `triage`: larger disk"


async def test_204_is_as_usual(decide: Decide) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    decision = await decide(answer)

    assert (decision.verdict, decision.message) == (Verdict.FAILED, None)


def says(body: str, status: int = 200, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=body, status=status, headers=headers)

    return answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says("no", 500), "answered 500"),
        (says("", 302, Location="/elsewhere"), "answered 302"),
        (says("<html>"), "gave an answer that cannot be: The body is not JSON"),
        (says("[]"), "gave an answer that cannot be"),
        (says("{}"), "exactly one of `verdict`, `again`"),
        (says('{"verdict": "failed", "again": {}}'), "exactly one of `verdict`, `again`"),
        (says('{"verdict": "perhaps"}'), "is none of: failed, succeeded"),
        (says('{"verdict": "failed", "reason": "x"}'), "reason: is not a field"),
        (says('{"again": {"delay_s": -1}}'), "must be at least 0"),
        (says('{"again": {"delay_s": 1e30}}'), "must be at most"),
        (says(json.dumps({"verdict": "failed", "message": "x" * 1001})), "at most 1000"),
        (says(" " * (ANSWER_SIZE_BYTES_MAX + 1)), "answered more than"),
    ],
)
async def test_an_answer_that_cannot_be_is_done_without_and_the_job_says_why(
    decide: Decide, answer: Answer, why: str
) -> None:
    decision = await decide(answer)

    assert decision.verdict is Verdict.FAILED
    assert str(decision.message).startswith("policy `triage` ")
    assert why in str(decision.message)


async def test_one_that_does_not_answer_in_time_is_done_without(decide: Decide) -> None:
    gone = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await gone.wait()
        return web.Response()

    decision = await decide(answer)

    gone.set()
    assert decision.message == "policy `triage` did not answer within 0.5 s; decided without it"


async def test_one_that_is_not_there_is_done_without() -> None:
    policies = known_policies({"triage": "http://127.0.0.1:1/ask"}, {"triage": SECRET}, 0.5, SystemWorld())

    [decision] = await policies.decide([lost(SPEC, 3, 3)])

    assert decision.message == (
        "Its worker vanished 3 times; no try is left; policy `triage` cannot be asked (ClientConnectorError); "
        "decided without it"
    )
    await policies.close()


@pytest.mark.parametrize(
    ("urls", "secrets", "setting", "instead"),
    [
        ({"a": "http://example.org/x"}, {"a": SECRET}, "ROTA_POLICY_URLS", "https://"),
        ({"a": "ftp://example.org/x"}, {"a": SECRET}, "ROTA_POLICY_URLS", "https://HOST/PATH"),
        ({"a": "https://[::1"}, {"a": SECRET}, "ROTA_POLICY_URLS", "https://HOST/PATH"),
        ({"a": "https://example.org"}, {}, "ROTA_POLICY_SECRETS", "openssl rand"),
        ({"a": "https://example.org"}, {"a": "whsec_"}, "ROTA_POLICY_SECRETS", "base64"),
        ({"a": "https://example.org"}, {"a": "whsec_x"}, "ROTA_POLICY_SECRETS", "base64"),
        ({}, {"b": SECRET}, "ROTA_POLICY_SECRETS", "no URL"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_the_start(
    urls: dict[str, str], secrets: dict[str, str], setting: str, instead: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        known_policies(urls, secrets, 1.0, SystemWorld())

    [error] = raised.value.extra["errors"]
    assert error.field == setting
    assert instead in error.message


@pytest.mark.parametrize("value", ["triage", "=https://x", "a=", "a=https://x a=https://y"])
def test_names_and_what_is_theirs_are_read_from_the_environment_or_refused(value: str) -> None:
    good = Settings({"ROTA_POLICY_URLS": " a=https://x/?b=c  d=https://y "})
    assert good.pairs("ROTA_POLICY_URLS") == {"a": "https://x/?b=c", "d": "https://y"}

    with pytest.raises(InvalidRequest, match="ROTA_POLICY_URLS"):
        Settings({"ROTA_POLICY_URLS": value}).pairs("ROTA_POLICY_URLS")
