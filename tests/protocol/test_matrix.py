"""Arrays and matrices: which parts a spec has. Source: protocol.md, "matrix"; GitHub's workflow syntax."""

import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rota.protocol.matrix import INDEX, PARTS_MAX, Parted, combinations, indexes, parts, variable
from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import Spec, check_spec

VALUES = some.lists(some.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True)
AXES = some.dictionaries(some.sampled_from(["os", "python", "arch"]), VALUES, min_size=1, max_size=3)


def wrong(**fields: Any) -> str:  # noqa: ANN401  (any field of a spec)
    with pytest.raises(InvalidRequest) as refused:
        check_spec(Spec(command=["true"], **fields))
    return refused.value.detail


@given(AXES)
def test_every_combination_is_a_part_once_the_first_axis_changing_slowest(axes: dict[str, list[str]]) -> None:
    made = combinations(axes, [], [])

    assert [tuple(one.values()) for one in made] == list(product(*axes.values()))


@given(AXES, some.data())
def test_what_is_excluded_is_no_part_and_nothing_else_is_missing(
    axes: dict[str, list[str]], data: some.DataObject
) -> None:
    entry = {axis: data.draw(some.sampled_from(values)) for axis, values in axes.items() if data.draw(some.booleans())}
    whole = combinations(axes, [], [])
    left = [one for one in whole if not entry or not entry.items() <= one.items()]
    if not entry or not left:
        return

    assert combinations(axes, [], [entry]) == left


@given(AXES, some.data())
def test_an_include_never_changes_an_axis_and_never_takes_a_part_away(
    axes: dict[str, list[str]], data: some.DataObject
) -> None:
    entry = {axis: data.draw(some.sampled_from([*values, "new"])) for axis, values in axes.items()} | {"extra": "x"}
    whole = combinations(axes, [], [])

    made = combinations(axes, [entry], [])

    assert [{axis: one[axis] for axis in axes} for one in made[: len(whole)]] == whole
    assert len(made) == len(whole) + ("new" in entry.values())


def test_include_as_github_has_it() -> None:
    """Source: GitHub's workflow syntax, "Expanding or adding matrix configurations"."""
    axes = {"site": ["lab", "roof"], "time": ["day", "night"]}
    include = [
        {"level": "low"},
        {"level": "high", "time": "day"},
        {"site": "lab", "lamp": "on"},
        {"site": "cellar"},
        {"site": "cellar", "time": "day"},
    ]

    assert combinations(axes, include, []) == [
        {"site": "lab", "time": "day", "level": "high", "lamp": "on"},
        {"site": "lab", "time": "night", "level": "low", "lamp": "on"},
        {"site": "roof", "time": "day", "level": "high"},
        {"site": "roof", "time": "night", "level": "low"},
        {"site": "cellar"},
        {"site": "cellar", "time": "day"},
    ]


def test_include_alone_makes_a_part_of_each_entry() -> None:
    made = parts(None, None, [{"site": "lab"}, {"site": "roof", "debug": True}], [])

    assert made == [
        {"ROTA_MATRIX_SITE": "lab", INDEX: "0"},
        {"ROTA_MATRIX_SITE": "roof", "ROTA_MATRIX_DEBUG": "true", INDEX: "1"},
    ]


@given(some.text("abcXYZ019_.-", min_size=1, max_size=20))
def test_a_variable_is_one_that_every_shell_takes(axis: str) -> None:
    assert variable(axis).isidentifier()


@pytest.mark.parametrize(
    ("array", "expected"),
    [(3, [0, 1, 2]), (1, [0]), ("5", [5]), ("1-3", [1, 2, 3]), ("1-9:4", [1, 5, 9]), ("7, 1-2", [7, 1, 2])],
)
def test_an_array_is_a_number_or_ranges(array: int | str, expected: list[int]) -> None:
    assert indexes(array) == expected


@pytest.mark.parametrize(
    "array", [0, -1, 10**30, PARTS_MAX + 1, "", "a", "3-1", "1-5:0", "1-", "-1", "1,1", "0-999999999", "\u0663"]
)
def test_an_array_that_cannot_be_is_refused(array: int | str) -> None:
    with pytest.raises(Parted):
        indexes(array)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"matrix": {}}, "matrix: has no axis"),
        ({"matrix": {"os": []}}, "matrix.os: has no value"),
        ({"matrix": {"os": ["a", "a"]}}, "matrix.os: has a value twice"),
        ({"matrix": {"os": [1, "1"]}}, "matrix.os: has a value twice"),
        ({"matrix": {"os": [["a"]]}}, "matrix.os[0]: is a text, a whole number, true or false"),
        ({"matrix": {"os": [None]}}, "matrix.os[0]: is a text, a whole number, true or false"),
        ({"matrix": {"v": [3.10]}}, "matrix.v[0]: is a text, a whole number, true or false; write it as text, such as"),
        ({"matrix": {"os": ["\0"]}}, "matrix.os[0]: contains NUL"),
        ({"matrix": {"o s": ["a"]}}, "matrix.o s: is no name of an axis"),
        ({"matrix": {"a-b": ["x"], "a_b": ["x"]}}, "matrix.a_b: and `a-b` would both be ROTA_MATRIX_A_B"),
        ({"matrix": {"os": ["a"]}, "env": {"ROTA_MATRIX_OS": "b"}}, "env.ROTA_MATRIX_OS: is set by Rota in each part"),
        ({"array": 2, "env": {INDEX: "7"}}, f"env.{INDEX}: is set by Rota in each part"),
        ({"array": 2, "matrix": {"os": ["a"]}}, "array: is given beside a matrix"),
        ({"exclude": [{"os": "a"}]}, "exclude: takes combinations out of a `matrix`; there is none"),
        ({"matrix": {"os": ["a"]}, "exclude": [{"so": "a"}]}, "exclude[0].so: is no axis of the matrix; there are: os"),
        ({"matrix": {"os": ["a"]}, "exclude": [{"os": "b"}]}, "exclude[0].os: `b` is none of the axis's values"),
        ({"matrix": {"os": ["a"]}, "exclude": [{}]}, "exclude[0]: is empty"),
        ({"matrix": {"os": ["a"]}, "exclude": [{"os": "a"}]}, "exclude: leaves no combination"),
        ({"matrix": {"os": ["a"]}, "include": [{"os": "b"}, {"os": "b"}]}, "include: makes the same combination twice"),
        ({"max_parallel": 2}, "max_parallel: is for an `array` or a `matrix` alone"),
        ({"fail_fast": True}, "fail_fast: is for an `array` or a `matrix` alone"),
    ],
    ids=str,
)  # fmt: skip
def test_a_matrix_that_cannot_be_is_refused_by_its_field(fields: dict[str, Any], said: str) -> None:
    assert wrong(**fields).startswith(said)


def test_a_matrix_of_ten_million_is_refused_before_any_part_is_made() -> None:
    began = time.process_time()

    told = wrong(matrix={axis: list(range(10)) for axis in "abcdefg"})

    assert "matrix: has 10000000 combinations: at most 10000" in told
    assert time.process_time() - began < 0.1


def test_what_would_take_too_many_comparisons_is_refused() -> None:
    include = [{f"x{index}": 1} for index in range(1000)]

    assert "too many entries" in wrong(matrix={"a": list(range(100)), "b": list(range(100))}, include=include)
