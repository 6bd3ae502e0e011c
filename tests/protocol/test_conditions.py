"""What a job asks of a label, and whether the label satisfies it. Source: protocol.md, "Conditions"."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from rota.protocol.conditions import Condition, SubmittedCondition, compare, compiled, holds, said, wrong_wants

versions = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
tagged = st.builds(str.__add__, versions, st.sampled_from(["", "", "rc1", "a2", ".post1", ".dev3", "+local"]))
numbers = st.one_of(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False))
texts = st.one_of(st.text(max_size=6), tagged, numbers.map(str))
labels = st.one_of(st.none(), texts)
values = st.one_of(texts, numbers)
conditions: st.SearchStrategy[Condition] = st.deferred(
    lambda: st.builds(
        Condition,
        in_=st.none() | st.lists(values, max_size=3),
        not_in=st.none() | st.lists(values, max_size=3),
        eq=st.none() | values,
        ne=st.none() | values,
        gt=st.none() | values,
        ge=st.none() | values,
        lt=st.none() | values,
        le=st.none() | values,
        exists=st.none() | st.booleans(),
        not_=st.none() | conditions,
    )
)


@given(conditions, labels)
def test_every_condition_has_one_answer_for_every_label(condition: Condition, label: str | None) -> None:
    first = holds(condition, label)

    assert first in {True, False}
    assert compiled(condition)(label) == first
    again = msgspec.json.decode(msgspec.json.encode(condition), type=SubmittedCondition)
    assert holds(again, label) == first


@given(conditions, labels)
def test_not_is_the_opposite(condition: Condition, label: str | None) -> None:
    assert holds(Condition(not_=condition), label) != holds(condition, label)


@given(st.lists(values, max_size=4), labels)
def test_a_set_is_any_of_its_values(some: list[str | int | float], label: str | None) -> None:
    one_by_one = [holds(Condition(eq=value), label) for value in some]

    assert holds(Condition(in_=some), label) == any(one_by_one)
    assert holds(Condition(not_in=some), label) != any(one_by_one)
    assert [holds(Condition(ne=value), label) for value in some] == [not one for one in one_by_one]


@given(values, labels)
def test_less_equal_and_more_exclude_each_other(value: str | float, label: str | None) -> None:
    each = (Condition(lt=value), Condition(eq=value), Condition(gt=value))
    less, equal, more = (holds(condition, label) for condition in each)

    assert less + equal + more <= 1
    assert holds(Condition(le=value), label) == (less or equal)
    assert holds(Condition(ge=value), label) == (equal or more)


@given(tagged, tagged)
def test_versions_are_compared_as_packaging_has_them(label: str, value: str) -> None:
    one, other = Version(label), Version(value)

    assert compare(label, value) == (one > other) - (one < other)


@given(st.integers(-(10**15), 10**15) | st.floats(-1e9, 1e9), st.integers(-(10**15), 10**15) | st.floats(-1e9, 1e9))
def test_a_number_is_compared_as_a_number(label: float, value: float) -> None:
    assert compare(repr(label), value) == (label > value) - (label < value)


@given(st.lists(texts, min_size=1, max_size=4), texts)
def test_the_short_forms_compare_texts(some: list[str], label: str) -> None:
    assert holds(some[0], label) == (label == some[0])
    assert holds(some, label) == (label in some)
    assert not holds(some, None)


@pytest.mark.parametrize(
    ("condition", "label", "answer"),
    [
        ({"ge": "12.2"}, "12.10", True),
        ({"ge": "3.9"}, "3.10", True),
        ({"ge": 3.9}, "3.10", False),  # a number in the condition: 3.1 is less
        ({"ge": "12.2"}, "12.2rc1", False),
        ({"eq": "12.2"}, "12.2.0", True),
        ({"eq": 12}, "12.0", True),
        ({"lt": "-3"}, "-4.5", True),
        ({"gt": 64}, "128", True),
        ({"gt": 64}, "many", False),
        ({"gt": "64"}, None, False),
        ({"ne": "lab"}, None, True),
        ({"not_in": ["lab"]}, None, True),
        ({"exists": True}, None, False),
        ({"exists": True}, "", True),
        ({"exists": False}, None, True),
        ({"ge": "12", "lt": "13"}, "12.9", True),
        ({"ge": "12", "lt": "13"}, "13.0", False),
        ({"not": {"in": ["a", "b"]}}, "c", True),
        ({"eq": "A100"}, "a100", False),
        ({"ge": "1"}, "1" * 5000, False),  # no number of that length is read
    ],
)
def test_what_people_write(condition: dict[str, Any], label: str | None, answer: bool) -> None:  # noqa: FBT001
    assert holds(msgspec.convert(condition, SubmittedCondition), label) is answer


@pytest.mark.parametrize(
    ("wanted", "field", "word"),
    [
        ({"ge": "new"}, "requires.gpu.ge", "12.2"),
        ({}, "requires.gpu", "`ge`"),
        ({"ge": None}, "requires.gpu", "`ge`"),
        ([], "requires.gpu", "a100"),
        ({"in": []}, "requires.gpu.in", "at least one"),
        ({"not_in": []}, "requires.gpu.not_in", "at least one"),
        ({"not": {"lt": "x y"}}, "requires.gpu.not.lt", "`eq`"),
        ({"not": {"not": {"not": {"not": {"not": {"eq": 1}}}}}}, "requires.gpu.not.not.not.not.not", "4"),
        ({"eq": "a\0"}, "requires", "NUL"),
        ({"in": [str(n) for n in range(1001)]}, "requires", "1000"),
    ],
)
def test_what_cannot_be_meant_is_named_with_what_to_write(wanted: Any, field: str, word: str) -> None:  # noqa: ANN401
    read = msgspec.convert(wanted, str | list[str] | SubmittedCondition)

    [(where, message)] = wrong_wants({"gpu": read}, "requires")

    assert where == field
    assert word in message


@given(conditions)
def test_a_condition_can_be_said(condition: Condition) -> None:
    assert said("gpu", condition) is not None


def test_a_condition_is_said_as_the_command_line_writes_it() -> None:
    assert said("gpu", "a100") == "gpu=a100"
    assert said("gpu", ["a100", "h100"]) == "gpu in a100,h100"
    assert said("cuda", Condition(ge="12.2", lt="13")) == "cuda>=12.2 and cuda<13"
    assert said("gpu", Condition(not_=Condition(exists=True))) == "not (gpu exists)"
