"""A flow as a drawing in characters. Source: flows.md."""

import click

from rota.cli.draw_flow import draw
from rota.protocol.flow import Message, Participant
from rota.protocol.ids import AttemptId

WORKER, GATEWAY, REGISTRY, JOB = Participant.WORKER, Participant.GATEWAY, Participant.REGISTRY, Participant.JOB
ONE, TWO = AttemptId("one"), AttemptId("two")


def at(milliseconds: int) -> str:
    return f"2026-11-23T12:00:00.{milliseconds:03d}000Z"


REFUSED = [
    Message(at(0), ONE, WORKER, GATEWAY, "getJob"),
    Message(at(1), ONE, GATEWAY, JOB, "getJobForWorker"),
    Message(at(2), ONE, JOB, GATEWAY, "returnJobForWorker"),
    Message(at(3), ONE, GATEWAY, WORKER, "returnJob"),
    Message(at(4), ONE, WORKER, REGISTRY, "status: Working", "error", "status: Working was not acknowledged"),
    Message(at(5), ONE, WORKER, GATEWAY, "refuse job"),
]


def plain(messages: list[Message], width: int | None = None) -> list[str]:
    return [click.unstyle(line) for line in draw(messages, width)]


def test_an_arrow_stands_between_its_lifelines_and_points_to_who_is_told() -> None:
    head, *lines = plain(REFUSED)

    assert head.split() == ["WorkerRegistry", "Worker", "WorkerGateway", "Job"]
    assert lines[0].startswith("+0.000 s")
    assert "─▶│" in lines[0]
    assert lines[0].index("getJob") > head.index("Worker  ")
    assert "│◀ returnJobForWorker ╌│" in lines[2]


def test_lifelines_are_straight() -> None:
    head, *lines = plain(REFUSED)
    bare = lines[-1]
    columns = [index for index, character in enumerate(bare) if character == "│"]

    assert len(columns) == 4
    drawn = [line for line in lines if line.startswith("+")]
    assert all(line[column] == "│" for line in drawn for column in columns)
    assert all(name in head for name in ("WorkerRegistry", "WorkerGateway"))


def test_an_error_is_red_marked_and_says_why() -> None:
    lines = list(draw(REFUSED))
    [failed] = [line for line in lines if "status: Working" in line and "│" in line]

    assert "✗ status: Working" in failed
    assert "\x1b[31m" in failed
    assert any("was not acknowledged" in click.unstyle(line) for line in lines)


def test_attempts_are_told_apart_and_execution_is_shown() -> None:
    finished = Message(at(9), TWO, WORKER, GATEWAY, "jobFinished", detail="exit 3")
    lines = plain([*REFUSED, Message(at(8), TWO, WORKER, GATEWAY, "getJob"), finished])

    assert [line.strip("─ ") for line in lines if "attempt" in line] == ["attempt 1", "attempt 2"]
    [execution] = [line for line in lines if "Execute Job" in line]
    assert execution.endswith("exit 3")


def test_a_narrow_terminal_is_given_words() -> None:
    lines = plain(REFUSED, 60)

    assert lines[0] == "+0.000 s  Worker → WorkerGateway: getJob"
    assert "✗ status: Working  status: Working was not acknowledged" in lines[4]


def test_what_a_worker_wrote_cannot_speak_to_the_terminal() -> None:
    evil = Message(at(0), ONE, WORKER, GATEWAY, "refuse job", "error", "\x1b]0;x\x07\x1b[2J")

    assert "\x1b]" not in "".join(draw([evil]))
    assert "\x1b[2J" not in "".join(draw([evil], 10))


def test_no_message_is_told_as_such() -> None:
    assert plain([]) == ["No message yet: no worker has been given this job."]
