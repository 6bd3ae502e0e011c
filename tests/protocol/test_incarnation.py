"""Starts of one worker in their order. Source: protocol.md, "Worker's side"."""

import uuid

import pytest

from rota.protocol.ids import Incarnation
from rota.protocol.incarnation import NUMBER_MAX, gone, is_earlier, numbered


@pytest.mark.parametrize(("one", "other"), [(1, 2), (9, 10), (255, 256), (0, NUMBER_MAX)])
def test_a_lower_number_is_earlier_whatever_the_random_rest_is(one: int, other: int) -> None:
    lower, higher = numbered(one, b"\xff" * 10), numbered(other, bytes(10))

    assert is_earlier(lower, higher)
    assert not is_earlier(higher, lower)
    assert not is_earlier(numbered(one, bytes(10)), lower)


def test_it_is_a_uuid_of_version_8_that_holds_the_number() -> None:
    made = uuid.UUID(numbered(77, b"\xff" * 10))

    assert (made.version, made.variant, made.int >> 80) == (8, uuid.RFC_4122, 77)


def test_who_has_gone_is_later_than_its_start_and_earlier_than_the_next() -> None:
    left = gone(numbered(7, bytes(10)))

    assert is_earlier(left, numbered(8, bytes(10)))
    assert not is_earlier(left, numbered(7, bytes(10)))
    assert left != numbered(7, bytes(10))


@pytest.mark.parametrize("other", [str(uuid.uuid4()), "one", ""])
def test_what_tells_no_number_is_never_earlier_nor_later(other: str) -> None:
    assert not is_earlier(numbered(1, bytes(10)), Incarnation(other))
    assert not is_earlier(Incarnation(other), numbered(1, bytes(10)))
