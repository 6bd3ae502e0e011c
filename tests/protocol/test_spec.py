"""A spec that could not work is refused before it is a job, each field by name. Source: protocol.md, "Spec"."""

from typing import Any

import msgspec
import pytest

from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import GRACE_S, InputFile, Spec, SubmittedSpec, check_spec
from rota.protocol.wire import Base64, encode, read_request


def wrong_fields(at: str = "", **fields: Any) -> list[str]:  # noqa: ANN401  (any field of a spec)
    with pytest.raises(InvalidRequest) as refused:
        check_spec(Spec(**fields), at)
    return [error.field for error in refused.value.extra["errors"]]


def test_a_command_alone_is_enough() -> None:
    spec = read_request(b'{"command": ["true"]}', SubmittedSpec)

    check_spec(spec)

    assert (spec.grace_s, spec.priority, spec.timeout_s) == (GRACE_S, 0, None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "command"),
        ({"command": ["true"], "script": "true"}, "command"),
        ({"command": []}, "command"),
        ({"command": [""]}, "command"),
        ({"command": ["tr\0ue"]}, "command"),
        ({"command": ["\udc80"]}, "command"),
        ({"script": " \n"}, "script"),
        ({"script": "a\0"}, "script"),
        ({"script": "true", "executor": "steam"}, "executor"),
        ({"script": "true", "env": {"A=B": "1"}}, "env.A=B"),
        ({"script": "true", "env": {"": "1"}}, "env."),
        ({"script": "true", "env": {"A": "\0"}}, "env"),
        ({"script": "true", "artifacts": ["a", "/etc/*"]}, "artifacts[1]"),
        ({"script": "true", "artifacts": ["out/../../*"]}, "artifacts[0]"),
        ({"script": "true", "artifacts": [""]}, "artifacts[0]"),
        ({"script": "true", "tags": {"\0": ""}}, "tags"),
        ({"script": "true", "requires": {"gpu": "\0"}}, "requires"),
        ({"script": "true", "name": "\0"}, "name"),
    ],
)
def test_a_field_that_could_not_work_is_named(fields: dict[str, Any], field: str) -> None:
    assert wrong_fields(**fields) == [field]


def test_every_wrong_field_is_named_at_once_with_the_place_of_its_spec() -> None:
    named = wrong_fields("jobs[3].", command=[], executor="steam", artifacts=["/"])

    assert named == ["jobs[3].command", "jobs[3].executor", "jobs[3].artifacts[0]"]


def inputs(*paths: str) -> list[InputFile]:
    return [InputFile(path, Base64("")) for path in paths]


@pytest.mark.parametrize(
    ("files", "field"),
    [
        (inputs("a", "../b"), "inputs[1].path"),
        (inputs("a", "a"), "inputs[1].path"),
        (inputs("a/b", "a"), "inputs[1].path"),
        (inputs("a", "a/b/c"), "inputs[0].path"),
        ([InputFile("a")], "inputs[0].content"),
        ([InputFile("a", Base64("no base64"))], "inputs[0].content"),
    ],
)
def test_an_input_that_cannot_be_put_in_place_is_named(files: list[InputFile], field: str) -> None:
    assert wrong_fields(script="true", inputs=files) == [field]


def test_inputs_in_one_folder_do_not_disturb_each_other() -> None:
    check_spec(Spec(script="true", inputs=inputs("a/b", "a/c", "ab", "a.txt")))


def test_a_spec_is_shown_without_what_it_left_out() -> None:
    assert encode(Spec(command=["true"])) == b'{"command":["true"]}'


def test_a_spec_comes_back_as_it_was_submitted() -> None:
    spec = Spec(script="make", name="build", env={"A": "1"}, inputs=inputs("a"), artifacts=["out/**"], timeout_s=2.5)

    again = read_request(encode(spec), SubmittedSpec)

    assert msgspec.to_builtins(again) == msgspec.to_builtins(spec)
