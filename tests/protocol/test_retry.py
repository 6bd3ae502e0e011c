"""What a `retry` may hold, and what is said of what it may not. Source: protocol.md, `retry`."""

import time
from typing import Any

import pytest

from rota.protocol.problems import InvalidRequest
from rota.protocol.retry import PATTERN_LENGTH_MAX, RULES_MAX, compiled, has_code
from rota.protocol.spec import Spec, SubmittedSpec, check_spec
from rota.protocol.wire import encode, read_request


def submitted(**fields: Any) -> SubmittedSpec:  # noqa: ANN401  (what people send)
    """As it is read and checked when it comes."""
    spec = read_request(encode({"command": ["true"], **fields}), SubmittedSpec)
    check_spec(spec)
    return spec


def wrong(**fields: Any) -> dict[str, str]:  # noqa: ANN401  (as above)
    """Each field that is refused, and why."""
    with pytest.raises(InvalidRequest) as raised:
        submitted(**fields)
    return {error.field: error.message for error in raised.value.extra["errors"]}


def rule(**fields: object) -> dict[str, object]:
    return {"max_attempts": 3, "on": [fields]}


def test_a_whole_retry_is_read_and_told_as_it_was_sent() -> None:
    retry = {
        "max_attempts": 3,
        "on": [
            {"exit_codes": [75, "100-120"], "delay_s": 5.0, "max": 2},
            {"signals": ["SIGKILL", "SIGRTMIN+7"]},
            {"reasons": ["out_of_memory"], "requires": {"mem": "big"}},
            {"log": "connection re(set|fused)$"},
        ],
        "backoff": {"initial_s": 2.0, "factor": 3.0, "max_s": 60.0, "jitter": 0.5},
    }

    spec = submitted(retry=retry, success_exit_codes=[0, "3-5"], policy="careful")

    assert encode(read_request(encode(spec), Spec)) == encode(spec)
    assert encode(spec.retry) == encode(retry)
    assert spec.awaits_verdict
    assert not submitted(success_exit_codes=[3]).awaits_verdict


@pytest.mark.parametrize(
    ("fields", "field", "instead"),
    [
        ({"retry": {}}, "retry.max_attempts", "missing"),
        ({"retry": {"max_attempts": 0}}, "retry.max_attempts", "at least 1"),
        ({"retry": {"max_attempts": 1001}}, "retry.max_attempts", "at most 1000"),
        ({"retry": {"max_attempts": 2, "tries": 3}}, "retry.tries", "leave it out"),
        ({"retry": {"max_attempts": 2, "on": []}}, "retry.on", "left out"),
        ({"retry": {"max_attempts": 2, "on": [{"log": "x"}] * (RULES_MAX + 1)}}, "retry.on", "at most 50"),
        ({"retry": {"max_attempts": 2, "backoff": {"initial_s": 9, "max_s": 8}}}, "retry.backoff.max_s", "initial_s"),
        ({"retry": {"max_attempts": 2, "backoff": {"factor": 0.5}}}, "retry.backoff.factor", "at least 1"),
        ({"retry": {"max_attempts": 2, "backoff": {"jitter": 2}}}, "retry.backoff.jitter", "at most 1"),
        ({"retry": rule()}, "retry.on[0]", '{"exit_codes": [75]}'),
        ({"retry": rule(delay_s=5)}, "retry.on[0]", "names no end"),
        ({"retry": rule(exit_codes=[])}, "retry.on[0].exit_codes", "leave it out"),
        ({"retry": rule(exit_codes=["120-100"])}, "retry.on[0].exit_codes", "write 100-120"),
        ({"retry": rule(exit_codes=["75"])}, "retry.on[0].exit_codes", "write 75, a number"),
        ({"retry": rule(exit_codes=["7x"])}, "retry.on[0].exit_codes", '"100-120"'),
        ({"retry": rule(exit_codes=[2**40])}, "retry.on[0].exit_codes", "no exit code"),
        ({"retry": rule(signals=["KILL"])}, "retry.on[0].signals", "write SIGKILL"),
        ({"retry": rule(signals=["sigkill"])}, "retry.on[0].signals", "SIGKILL"),
        ({"retry": rule(reasons=["oom"])}, "retry.on[0].reasons[0]", "out_of_memory"),
        ({"retry": rule(reasons=["cancelled"])}, "retry.on[0].reasons[0]", "none of"),
        ({"retry": rule(exit_codes=[1], signals=["SIGTERM"])}, "retry.on[0]", "two rules"),
        ({"retry": rule(exit_codes=[1], reasons=["lost"])}, "retry.on[0]", "two rules"),
        ({"retry": rule(reasons=["refused", "lost"])}, "retry.on[0]", "a rule of its own"),
        ({"retry": rule(reasons=["refused"], log="x")}, "retry.on[0]", "a rule of its own"),
        ({"retry": rule(log="x" * (PATTERN_LENGTH_MAX + 1))}, "retry.on[0].log", "at most 1000"),
        ({"retry": rule(log="(?=a)b")}, "retry.on[0].log", "looks ahead or behind"),
        ({"retry": rule(log="(?<!a)b")}, "retry.on[0].log", "looks ahead or behind"),
        ({"retry": rule(log=r"(a)\1")}, "retry.on[0].log", "write out what it stands for"),
        ({"retry": rule(log="(?P<x>a)(?P=x)")}, "retry.on[0].log", "write out what it stands for"),
        ({"retry": rule(log="(?>a)")}, "retry.on[0].log", "plain group"),
        ({"retry": rule(log="a++")}, "retry.on[0].log", "`+`"),
        ({"retry": rule(log="a{2000}")}, "retry.on[0].log", "write `*` or `+`"),
        ({"retry": rule(log="a)(b")}, "retry.on[0].log", "no regular expression"),
        ({"retry": rule(log="x", requires={"": "y"})}, "retry.on[0].requires", "empty key"),
        ({"retry": rule(log="x", requires={"cuda": {"gte": 3}})}, "retry.on[0].requires.cuda.gte", "ge"),
        ({"retry": rule(log="x", resources={"memory": 3})}, "retry.on[0].resources.memory", "memory_bytes"),
        ({"success_exit_codes": []}, "success_exit_codes", "[0, 3]"),
        ({"success_exit_codes": ["9-3"]}, "success_exit_codes", "write 3-9"),
        ({"policy": ""}, "policy", "at least 1"),
    ],
)
def test_what_could_not_work_is_refused_by_name_with_what_to_write_instead(
    fields: dict[str, object], field: str, instead: str
) -> None:
    told = wrong(**fields)

    assert list(told) == [field]
    assert instead in told[field]


def test_a_pattern_is_named_in_the_words_it_was_written_in() -> None:
    assert "(?m" not in wrong(retry=rule(log="(("))["retry.on[0].log"]


def test_no_pattern_takes_long_however_it_is_nested() -> None:
    log = "a" * 16_000
    began = time.process_time()

    assert compiled("(a*)*b|(a|aa)+$x").search(log) is None

    assert time.process_time() - began < 1  # where it backtracks, this takes longer than anybody lives


def test_begin_and_end_of_a_pattern_are_a_lines() -> None:
    assert compiled("^disk full$").search("begin\ndisk full\nend")
    assert not compiled("^disk full$").search("the disk full of apples")


def test_both_ends_of_a_range_are_in_it() -> None:
    codes: list[int | str] = [3, "100-120"]

    assert [code for code in (3, 4, 99, 100, 120, 121, -1) if has_code(codes, code)] == [3, 100, 120]
