"""What jobs ask for themselves of a worker, counted. Source: protocol.md, "Resources"."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.protocol.resources import counted, has_room, left, times, wrong_resources

amounts = st.one_of(st.integers(0, 2**53), st.integers(0, 10**6).map(lambda n: n / 1000))
resources = st.dictionaries(st.sampled_from(["cpus", "memory_bytes", "gpus", "licences"]), amounts)


@given(resources, st.lists(resources, max_size=5))
def test_what_is_taken_is_no_longer_there(offered: dict[str, float], taken: list[dict[str, float]]) -> None:
    free = left(offered, taken)

    for name, amount in offered.items():
        rest = Fraction(str(amount)) - sum(Fraction(str(one.get(name, 0))) for one in taken)
        assert Fraction(str(free.get(name, 0))) == max(0, rest)
    assert has_room(free, {})
    assert has_room(free, free)


@given(resources, resources)
def test_there_is_room_for_two_where_there_is_room_for_one_beside_the_other(
    one: dict[str, float], other: dict[str, float]
) -> None:
    both = {name: float(sum(Fraction(str(part.get(name, 0))) for part in (one, other))) for name in one | other}
    if any(round(amount * 1000) % 1000 and amount > 2**40 for amount in both.values()):
        return  # no float holds so many digits

    assert has_room(left(both, [one]), other)
    assert has_room(both, one)


def test_ten_tenths_are_one_to_the_last() -> None:
    free = left({"cpus": 1}, [{"cpus": 0.1}] * 9)

    assert free == {"cpus": 0.1}
    assert has_room(free, {"cpus": 0.1})
    assert left({"cpus": 1}, [{"cpus": 0.1}] * 10) == {}


@given(resources, resources, st.integers(0, 50))
def test_so_many_that_ask_the_same_are_as_many_one_by_one(
    offered: dict[str, float], one: dict[str, float], count: int
) -> None:
    assert left(offered, [times(one, count)]) == left(offered, [one] * count)


def test_what_is_not_offered_is_not_there() -> None:
    assert not has_room({"cpus": 8}, {"gpus": 1})
    assert has_room({}, {"gpus": 0})


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
