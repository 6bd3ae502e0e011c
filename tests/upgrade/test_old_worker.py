"""What a worker and a program of an earlier version say is answered as it was. Source: guarantees.md, G14, F50.

The recorded requests are sent to the present services, ids and tokens mapped: the same status, and in the answer all
that they knew. What an answer says beyond that, they ignore.
"""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from house import PLAIN
from upgrade.alike import Differs, Names
from upgrade.conversation import SERVICES, Step, load, recorded
from upgrade.stage import Stage

CHANGING = {"retry-after"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, {service: f"http://{service}" for service in SERVICES})
    yield made
    made.close()


def sent(http: httpx2.Client, stage: Stage, step: Step, names: Names) -> httpx2.Response:
    """The step's request, said with present names."""
    headers = names.put(step.headers)
    scheme, _, pair = headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    body = type(step.body)(step.body.kind, names.put(step.body.content)).raw
    url = stage.url(step.to) + names.put(step.path)
    return http.request(step.method, url, headers=headers, content=body)


def check(step: Step, answer: httpx2.Response, names: Names) -> None:
    """Raises Differs."""
    if answer.status_code != step.status:
        raise Differs(f"{answer.status_code} in place of {step.status}: {answer.text}")
    if step.answer.kind == "json":
        names.compare(step.answer.content, answer.json())
    elif step.answer_headers.get("content-type", "").startswith("text/event-stream"):
        names.events(names.put(step.answer.content), answer.text)
    elif step.answer.raw != answer.content:
        raise Differs("other bytes")
    for name, value in step.answer_headers.items():
        now = answer.headers.get(name)
        if now is None or (name not in CHANGING and now != names.put(value)):
            raise Differs(f"header {name}: {now!r} in place of {value!r}")


@pytest.mark.parametrize("path", recorded(), ids=lambda path: path.stem)
def test_every_request_of_an_earlier_version_is_answered_as_it_was(stage: Stage, path: Path) -> None:
    names = Names(**{"token-00": stage.admin_token})

    with httpx2.Client(verify=PLAIN, timeout=70) as http:
        for number, step in enumerate(load(path).steps):
            if step.do:
                stage.do(step.do, step.to)
                continue
            try:  # the body first: it brings the names that headers bear
                check(step, sent(http, stage, step, names), names)
            except Differs as differs:
                raise AssertionError(f"step {number}, {step.method} {step.path} at {step.to}: {differs}") from None


def test_conversations_are_kept_and_hold_all_six_flows_and_no_secret() -> None:
    assert recorded()
    for path in recorded():
        steps = load(path).steps
        text = path.read_text()
        assert "rota_" not in text
        assert "eyJ" not in text
        assert {step.to for step in steps if step.do == "stop"} == set(SERVICES)
        paths = " ".join(step.path for step in steps)
        for call in ("get-job", "refuse-job", "job-finished", "heartbeat", "status", "renew", "/log", "/artifacts/"):
            assert call in paths
