"""A problem is raised, sent as RFC 9457 and raised again. Source: protocol.md, "Errors"."""

import json
from collections.abc import Iterable

import pytest

from rota.protocol import problems
from rota.protocol.problems import (
    TYPE_PREFIX,
    FieldError,
    Internal,
    InvalidRequest,
    OffsetMismatch,
    Problem,
    RateLimited,
    Unavailable,
    Unparsable,
    raised_again,
)
from rota.protocol.wire import encode

STATUS = {
    "invalid-request": 422, "unauthenticated": 401, "forbidden": 403, "not-found": 404, "method-not-allowed": 405,
    "conflict": 409, "lease-lost": 409, "offset-mismatch": 409, "digest-mismatch": 422, "too-large": 413,
    "range-not-satisfiable": 416, "gone": 410,
    "upgrade-required": 426, "rate-limited": 429, "unavailable": 503, "internal": 500, "damaged": 500,
}  # fmt: skip
"""By hand, as outside programs rely on it."""


def below(kind: type[Problem]) -> Iterable[type[Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


ALL = sorted(set(below(Problem)), key=lambda kind: kind.__name__)


def test_every_problem_of_the_contract_has_its_status() -> None:
    assert {kind.slug: kind.status for kind in ALL if kind is not Unparsable} == STATUS
    assert (Unparsable.slug, Unparsable.status) == ("invalid-request", 400)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not Unparsable])
def test_a_problem_bears_the_name_of_its_slug(kind: type[Problem]) -> None:
    assert kind.__name__ == "".join(word.capitalize() for word in kind.slug.split("-"))


@pytest.mark.parametrize("kind", ALL)
def test_a_problem_says_what_it_is_in_words_of_its_own(kind: type[Problem]) -> None:
    assert kind.__doc__
    assert kind.title
    assert not kind.title.endswith(".")
    others = [other for other in ALL if other is not kind]
    assert kind.title not in {other.title for other in others}
    assert kind.__doc__ not in {other.__doc__ for other in others}


@pytest.mark.parametrize("kind", ALL)
def test_a_problem_comes_back_as_the_same_class_with_the_same_words(kind: type[Problem]) -> None:
    sent = json.loads(encode(kind("The job `last` does not exist.").body()))

    again = raised_again(sent)

    assert type(again) is kind
    assert (again.detail, again.status) == ("The job `last` does not exist.", kind.status)
    assert sent.keys() >= {"type", "title", "status", "detail"}
    assert sent["type"] == TYPE_PREFIX + kind.slug


def test_a_refused_request_keeps_its_fields() -> None:
    sent = json.loads(encode(InvalidRequest.of("attempts[0].result.exit_code", "is missing").body()))

    again = raised_again(sent)

    assert again.detail == "attempts[0].result.exit_code: is missing"
    assert again.extra["errors"] == [FieldError("attempts[0].result.exit_code", "is missing")]


def test_the_right_offset_comes_along() -> None:
    again = raised_again(json.loads(encode(OffsetMismatch("Send from byte 17.", 17).body())))

    assert isinstance(again, OffsetMismatch)
    assert again.offset == 17


@pytest.mark.parametrize("kind", [RateLimited, Unavailable])
def test_the_time_to_wait_comes_from_the_header(kind: type[Problem]) -> None:
    assert raised_again(kind("Later.").body(), 7).retry_after_s == 7


@pytest.mark.parametrize("body", [{}, {"type": "about:blank", "title": "Bad Gateway"}, {"type": 3, "detail": None}])
def test_what_nobody_knows_is_internal(body: dict[str, object]) -> None:
    again = raised_again(body)

    assert type(again) is Internal
    assert again.detail


def test_every_class_of_the_file_can_be_raised_again() -> None:
    written = {thing for thing in vars(problems).values() if isinstance(thing, type) and issubclass(thing, Problem)}

    assert written - {Problem} == set(ALL)
