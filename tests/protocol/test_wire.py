"""Strict in what a server takes, tolerant in what a client reads. Source: protocol.md, opening."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.protocol.get_job import GetJob, Offers
from rota.protocol.ids import AttemptId
from rota.protocol.job import SubmitMany
from rota.protocol.job_finished import JobFinished
from rota.protocol.problems import InvalidRequest, Unparsable
from rota.protocol.refuse_job import RefuseJob
from rota.protocol.spec import LATER, SubmittedSpec
from rota.protocol.status import Status, WorkerStatus
from rota.protocol.wire import (
    Timestamp,
    encode,
    from_base64,
    parse_timestamp,
    read_answer,
    read_request,
    timestamp,
    to_base64,
)

EMPTY_LOG = {"size_bytes": 0, "sha256": "e" * 64}
FINISHED: dict[str, Any] = {
    "attempt_id": "a",
    "result": {"exit_code": 3, "signal": None, "reason": "exited"},
    "log": EMPTY_LOG,
    "artifacts": [],
    "started_at": None,
    "finished_at": "2026-11-23T12:00:00.000000Z",
}


def refused(body: object, kind: type[Any], later: dict[str, str] | None = None) -> tuple[str, str]:
    """Field and message of the one complaint."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest) as problem:
        read_request(raw, kind, later)
    [error] = problem.value.extra["errors"]
    assert problem.value.status == 422
    assert problem.value.detail == f"{error.field}: {error.message}"
    return error.field, error.message


TWO_INPUTS = {"script": "true", "inputs": [{"path": "a", "content": ""}, {"content": ""}]}


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        ({"slots": 1, "wait_s": 0, "colour": "red"}, GetJob, "colour"),
        ({"wait_s": 0}, GetJob, "slots"),
        ({"slots": "1", "wait_s": 0}, GetJob, "slots"),
        ({"slots": True, "wait_s": 0}, GetJob, "slots"),
        ({"slots": 0, "wait_s": 0}, GetJob, "slots"),
        ({"slots": 1, "wait_s": 61}, GetJob, "wait_s"),
        (b'{"slots": 1.0, "wait_s": 0}', GetJob, "slots"),
        ([], GetJob, "body"),
        (None, GetJob, "body"),
        ({"attempts": [{"attempt_id": "a"}]}, RefuseJob, "attempts[0].reason"),
        ({"attempts": [{"attempt_id": "a", "reason": "", "x": 1}]}, RefuseJob, "attempts[0].x"),
        ({"attempts": []}, RefuseJob, "attempts"),
        ({"attempts": [FINISHED | {"result": {}}]}, JobFinished, "attempts[0].result.exit_code"),
        ({"attempts": [FINISHED | {"log": EMPTY_LOG | {"size_bytes": -1}}]}, JobFinished, "attempts[0].log.size_bytes"),
        ({"attempts": [FINISHED | {"finished_at": "yesterday"}]}, JobFinished, "attempts[0].finished_at"),
        ({"status": "resting", "attempts": [], "free_slots": 0}, Status, "status"),
        ({"command": "true"}, SubmittedSpec, "command"),
        ({"command": ["true", 1]}, SubmittedSpec, "command[1]"),
        (TWO_INPUTS, SubmittedSpec, "inputs[1].path"),
        ({"jobs": [{"script": "true", "priority": 101}]}, SubmitMany, "jobs[0].priority"),
        ({"script": "true", "env": {"A": 1}}, SubmittedSpec, "env.A"),
        ({"script": "true", "env": {"B": "", "A": 1}}, SubmittedSpec, "env.A"),
        ({"jobs": [{}, {"requires": {"a": "b", "c": 1}}]}, SubmitMany, "jobs[1].requires.c"),
        ({"requires": {"c": {"gte": 1}}}, SubmittedSpec, "requires.c.gte"),
        ({"requires": {"c": {"in": ["a", True]}}}, SubmittedSpec, "requires.c.in[1]"),
        ({"resources": {"cpus": 1, "memory_bytes": "4GiB"}}, SubmittedSpec, "resources.memory_bytes"),
    ],
)  # fmt: skip
def test_a_request_that_does_not_fit_is_refused_by_its_field(body: object, kind: type[Any], field: str) -> None:
    named, message = refused(body, kind)

    assert named == field
    assert message


@pytest.mark.parametrize("field", sorted(LATER))
def test_a_field_that_is_not_built_yet_is_refused_with_what_to_do(field: str) -> None:
    body = {"script": "true", "inputs": [{"path": "a", field: 1}]} if field in {"url", "artifact"} else {field: 1}

    assert refused(body, SubmittedSpec, LATER)[1] == LATER[field]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>", b'{"slots": NaN}', b'{"request_id": "\xff"}', b'{"request_id": "\\ud800"}']
)
def test_what_is_no_json_is_400_and_not_422(body: bytes) -> None:
    with pytest.raises(Unparsable) as problem:
        read_request(body, GetJob)

    assert problem.value.status == 400


def test_half_a_surrogate_pair_is_called_so_and_a_cut_body_is_not() -> None:
    for body, said in ((b'{"request_id": "\\ud800"}', "surrogate"), (b'{"request_id": "\\\\ud800', "truncated")):
        with pytest.raises(Unparsable, match=said):
            read_request(body, GetJob)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "resting"}, "`resting` is none of: draining, lost, offline, ready_for_work, working"),
        ({"free_slots": -1}, "must be at least 0"),
        ({"free_slots": 10_001}, "must be at most 10000"),
        ({"attempts": ["a"] * 10_001}, "has at most 10000 entries"),
    ],
    ids=["enum", "least", "most", "length"],
)
def test_what_is_wrong_is_said_in_words(change: dict[str, Any], said: str) -> None:
    body = {"status": "working", "attempts": [], "free_slots": 0} | change

    assert refused(body, Status)[1] == said


def test_what_is_wrong_deep_inside_is_said_in_words_too() -> None:
    reason = {"attempts": [FINISHED | {"result": {"exit_code": 0, "signal": None, "reason": "bored"}}]}
    moment = {"attempts": [FINISHED | {"started_at": "yesterday"}]}

    assert refused(reason, JobFinished)[1].startswith("`bored` is none of: cancelled, exited, ")
    assert refused(moment, JobFinished)[1].startswith("a moment such as 2026")
    assert refused({"script": "true", "timeout_s": 0}, SubmittedSpec)[1] == "must be more than 0"


def test_an_unknown_field_of_an_answer_is_ignored() -> None:
    body = b'{"jobs": [{"attempt_id": "a", "job_id": "j", "number": 1, "lease_s": 30, "spec": {"mood": 1}, "new": 2}]}'

    [offer] = read_answer(body, Offers).jobs

    assert offer.attempt_id == "a"


def test_an_answer_that_is_none_is_a_decode_error() -> None:
    for body in (b"<html>502</html>", b"", b'{"jobs": 1}', b'{"jobs": ['):
        with pytest.raises(msgspec.DecodeError):
            read_answer(body, Offers)


def test_a_request_comes_back_as_it_was_sent() -> None:
    said = Status(WorkerStatus.WORKING, [AttemptId("a"), AttemptId("b")], 3)

    assert read_request(encode(said), Status) == said


def test_every_end_of_an_attempt_comes_back_as_it_was_sent() -> None:
    ends = read_request(json.dumps({"attempts": [FINISHED]}).encode(), JobFinished)

    assert read_request(encode(ends), JobFinished) == ends


@given(
    st.integers(0, 7_000 * 365 * 86_400 * 1_000_000),
    st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
def test_a_time_is_utc_with_microseconds_and_comes_back(microseconds: int, zone: timezone) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC).astimezone(zone) + timedelta(microseconds=microseconds)

    text = timestamp(at)

    assert text.endswith("Z")
    assert parse_timestamp(text) == at
    assert msgspec.convert(text, Timestamp) == text


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00Z", "2026-11-23t12:00:00.5z", "2026-11-23 13:00:00+01:00"])
def test_every_manner_of_rfc_3339_is_read(text: str) -> None:
    assert msgspec.convert(text, Timestamp) == text
    assert parse_timestamp(text).replace(microsecond=0) == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_a_time_that_never_is_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_timestamp(text)


@given(st.binary(max_size=200))
def test_bytes_come_back_from_base64(content: bytes) -> None:
    assert from_base64(to_base64(content), "content") == content


@pytest.mark.parametrize("text", ["a", "a===", "YQ", "Y Q==", "YQ==\n", "é", "-_=="])
def test_what_is_not_base64_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as problem:
        from_base64(text, "inputs[2].content")

    assert problem.value.extra["errors"][0].field == "inputs[2].content"


@pytest.mark.parametrize("behind", [b" garbage", b"\xff", b"[" * 100_000])
def test_an_entry_that_does_not_fit_is_told_though_what_is_behind_it_is_no_json(behind: bytes) -> None:
    with pytest.raises(InvalidRequest) as told:
        read_request(b'{"env": {"A": 1}, ' + behind, SubmittedSpec)

    assert told.value.extra["errors"][0].field == "env[...]"
