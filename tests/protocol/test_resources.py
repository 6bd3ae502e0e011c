"""What jobs ask for themselves of a worker, counted. Source: protocol.md, "Resources"."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.protocol.resources import Room, counted, has_room, wrong_resources

amounts = st.one_of(st.integers(0, 2**53), st.integers(0, 10**6).map(lambda n: n / 1000))
resources = st.dictionaries(st.sampled_from(["cpus", "memory_bytes", "gpus", "licences"]), amounts)


def exact(amount: float) -> Fraction:
    return Fraction(str(amount))


@given(resources, st.lists(st.tuples(resources, st.integers(0, 50)), max_size=4), resources)
def test_there_is_room_for_what_is_not_taken_and_for_no_more(
    offered: dict[str, float], taken: list[tuple[dict[str, float], int]], asked: dict[str, float]
) -> None:
    room = Room(offered)
    for one, count in taken:
        room.take(one, count)

    def free(name: str) -> Fraction:
        return exact(offered.get(name, 0)) - sum(exact(one.get(name, 0)) * count for one, count in taken)

    assert room.holds(asked) == all(free(name) >= exact(amount) for name, amount in asked.items())


@given(resources, resources)
def test_a_whole_worker_has_room_as_one_that_holds_nothing(offered: dict[str, float], asked: dict[str, float]) -> None:
    assert has_room(offered, asked) == Room(offered).holds(asked)
    assert has_room(offered, offered)


@given(resources, st.integers(0, 20))
def test_so_many_of_the_same_are_as_many_one_by_one(one: dict[str, float], count: int) -> None:
    at_once, by_turns = Room(dict.fromkeys(one, 2**53)), Room(dict.fromkeys(one, 2**53))
    at_once.take(one, count)
    for _ in range(count):
        by_turns.take(one)

    assert vars(at_once) == vars(by_turns)


def test_ten_tenths_are_one_to_the_last() -> None:
    room = Room({"cpus": 1})
    room.take({"cpus": 0.1}, 9)

    assert room.holds({"cpus": 0.1})
    room.take({"cpus": 0.1})
    assert not room.holds({"cpus": 0.001})


def test_what_is_not_offered_is_not_there() -> None:
    assert not has_room({"cpus": 8}, {"gpus": 1})
    assert has_room({}, {"gpus": 0})
    assert not Room({"cpus": 8}).holds({"gpus": 1})


def test_equal_amounts_are_one_text() -> None:
    assert counted({"gpus": 2.0, "cpus": 0.5, "licences": 0}) == {"cpus": 0.5, "gpus": 2}
    assert str(counted({"gpus": 2.0})) == "{'gpus': 2}"


@pytest.mark.parametrize(
    ("name", "amount", "word"),
    [
        ("cpus", 0, "more than 0"),
        ("cpus", -1, "from 0"),
        ("cpus", math.nan, "from 0"),
        ("cpus", math.inf, "from 0"),
        ("cpus", 0.0001, "three decimals"),
        ("memory_bytes", 0, "more than 0"),
        ("memory_bytes", 1.5, "whole"),
        ("gpus", 0.5, "whole"),
        ("cpu", 1, "`cpus`"),
        ("CPUs", 1, "`cpus`"),
        ("mem", 1, "`memory_bytes`, in bytes"),
        ("", 1, "letter"),
        ("a b", 1, "letter"),
        ("é", 1, "letter"),
    ],
)
def test_an_amount_that_is_nonsense_is_named_with_what_to_write(name: str, amount: float, word: str) -> None:
    [(field, message)] = wrong_resources({name: amount}, "resources", is_asked=True)

    assert field == f"resources.{name}"
    assert word in message


def test_a_worker_may_offer_nothing_of_a_kind() -> None:
    assert wrong_resources({"cpus": 0, "gpus": 0}, "resources", is_asked=False) == []


def test_a_job_may_say_that_it_needs_no_gpu() -> None:
    assert wrong_resources({"gpus": 0, "cpus": 0.5, "nvidia.com/mig-1g": 2}, "resources", is_asked=True) == []


def test_a_credential_has_room_for_so_many_names() -> None:
    [(field, message)] = wrong_resources({f"r{n}": 1 for n in range(21)}, "resources", is_asked=False)

    assert field == "resources"
    assert "20" in message
