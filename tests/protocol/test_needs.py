"""Needs: which end meets them, and what is refused. Source: protocol.md, "needs"."""

from typing import Any

import pytest

from rota.protocol.concurrency import Concurrency
from rota.protocol.ids import JobId
from rota.protocol.needs import Need, On, ResultOf, check_no_cycle, is_met, unmet
from rota.protocol.problems import InvalidRequest
from rota.protocol.schedule import Missed, Overlap, check_schedule
from rota.protocol.spec import InputFile, Spec, SubmittedSpec, check_spec
from rota.protocol.states import ENDED, JobState, Verdict
from rota.protocol.wire import read_request

ENDS = [(state, Verdict.FAILED) for state in sorted(ENDED)] + [(JobState.FINISHED, Verdict.SUCCEEDED)]


@pytest.mark.parametrize(("state", "verdict"), ENDS)
def test_which_end_meets_which_need(state: JobState, verdict: Verdict) -> None:
    met = {on for on in On if is_met(on, state, verdict)}

    expected = {
        (JobState.FINISHED, Verdict.SUCCEEDED): {On.SUCCEEDED, On.FINISHED, On.ANY},
        (JobState.FINISHED, Verdict.FAILED): {On.FAILED, On.FINISHED, On.ANY},
        (JobState.CANCELLED, Verdict.FAILED): {On.ANY},
    }
    assert met == expected.get((state, verdict), {On.FAILED, On.ANY})


def test_the_reason_names_the_job() -> None:
    told = unmet(JobId("0192"), "build", On.SUCCEEDED, JobState.FINISHED, Verdict.FAILED)

    assert told == "It needs job 0192 (build) to have succeeded, which failed."
    assert unmet(JobId("x"), None, On.FAILED, JobState.LOST, Verdict.FAILED).endswith("to have failed, which was lost.")


def told(edges: list[list[int]]) -> str:
    names = [f"j{place}" for place in range(len(edges))]
    with pytest.raises(InvalidRequest) as refused:
        check_no_cycle(edges, names, [f"jobs[{place}]." for place in range(len(edges))])
    return refused.value.detail


def test_a_circle_is_named() -> None:
    assert told([[1], [2], [0]]).endswith("j0 → j1 → j2 → j0")
    assert told([[0]]).endswith("j0 → j0")
    assert told([[], [0, 2], [3], [2], [1]]).startswith("jobs[2].needs: ")
    assert told([[], [0, 2], [3], [2], [1]]).endswith("j2 → j3 → j2")


def test_a_long_circle_is_named_in_few_words_and_found_in_little_time() -> None:
    size = 10_000
    words = told([[(place + 1) % size] for place in range(size)])

    assert "j0 → j1 → " in words
    assert words.endswith("→ … → j0")
    assert len(words) < 500


def test_what_has_no_circle_is_taken() -> None:
    check_no_cycle([[], [0], [0, 1], [2, 1, 0]], ["a", "b", "c", "d"], ["", "", "", ""])


def wrong(spec: Spec) -> list[str]:
    with pytest.raises(InvalidRequest) as refused:
        check_spec(spec)
    return [error.field for error in refused.value.extra["errors"]]


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        (Spec(command=["a"], needs=[Need()]), ["needs[0]"]),
        (Spec(command=["a"], needs=[Need(JobId("x"), "y")]), ["needs[0]"]),
        (Spec(command=["a"], needs=["x", Need(JobId("x"), None, On.ANY)]), ["needs[1]"]),
        (Spec(command=["a"], on_unmet="run"), ["on_unmet"]),
        (Spec(command=["a"], needs=["x"] * 10_001), ["needs"]),
    ],
    ids=str,
)
def test_a_need_that_cannot_be_is_refused_by_name(spec: Spec, fields: list[str]) -> None:
    assert wrong(spec) == fields


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('[{"path": "in", "artifact": {"job_id": "x", "path": "../a"}}]', "inputs[0].artifact.path"),
        ('[{"path": "in", "artifact": {"path": "a"}}]', "inputs[0].artifact"),
        ('[{"path": "in", "result": {"job_id": "x", "job": "y"}}]', "inputs[0].result"),
        ('[{"path": "in", "result": {"job_id": "x"}, "content": ""}]', "inputs[0].result"),
        ('[{"path": "in", "result": {"job_id": "x", "path": "y"}}]', "inputs[0].result.path"),
        ('[{"path": "in"}]', "inputs[0].content"),
    ],
)
def test_an_input_by_reference_that_cannot_be_is_refused_by_name(body: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_spec(read_request(f'{{"command": ["a"], "inputs": {body}}}'.encode(), SubmittedSpec))

    assert [error.field for error in refused.value.extra["errors"]] == [field]


def test_an_end_that_there_is_not_is_told_which_there_are() -> None:
    with pytest.raises(InvalidRequest, match=r"needs\[0\]\.on: `anny` is none of: any, failed, finished, succeeded"):
        read_request(b'{"command": ["a"], "needs": [{"job": "b", "on": "anny"}]}', SubmittedSpec)


def test_an_input_by_reference_needs_no_content() -> None:
    given = b'{"command": ["a"], "inputs": [{"path": "in", "artifact": {"job_id": "x", "path": "a"}}]}'
    spec = read_request(given, SubmittedSpec)

    check_spec(spec)

    assert isinstance(spec.inputs[0], InputFile)


@pytest.mark.parametrize(
    ("fields", "overlap", "field"),
    [
        ({"needs": ["x"]}, Overlap.SKIP, "spec.needs"),
        ({"inputs": [InputFile("in", result=ResultOf(JobId("x")))]}, Overlap.SKIP, "spec.inputs[0]"),
        ({"array": 2}, Overlap.QUEUE, "overlap"),
        ({"concurrency": Concurrency("g")}, Overlap.QUEUE, "overlap"),
    ],
    ids=str,
)
def test_what_the_jobs_of_a_schedule_cannot_have_is_refused(
    fields: dict[str, Any], overlap: Overlap, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_schedule("0 0 * * *", None, "UTC", overlap, Missed.SKIP, Spec(command=["true"], **fields))

    assert [error.field for error in refused.value.extra["errors"]] == [field]
