"""One spec, many parts: an array's indexes, a matrix's combinations. Source: protocol.md, "matrix".

`include` and `exclude` mean what they mean in GitHub's workflows, where people know them from.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

PARTS_MAX = 10_000
"""Most parts of one array, and of one submission."""
COMPARED_MAX = 1_000_000
"""Most combinations times entries of `include` and `exclude`: what expanding may cost."""
INDEX = "ROTA_ARRAY_INDEX"
PREFIX = "ROTA_MATRIX_"

_AXIS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([0-9]{1,9}))?)?")
_TOO_MANY = f"at most {PARTS_MAX} parts are one job"
_SCALAR = "is a text, a whole number, true or false"

Wrong = list[tuple[str, str]]
Combination = dict[str, str]


class Parted(Exception):
    """The parts cannot be made; `wrong` names the fields."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.wrong = [(field, message)]


def variable(axis: str) -> str:
    """`python-version` → ROTA_MATRIX_PYTHON_VERSION."""
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", axis.upper())


def parts(
    array: int | str | None,
    matrix: Mapping[str, Sequence[Any]] | None,
    include: Sequence[Mapping[str, Any]],
    exclude: Sequence[Mapping[str, Any]],
) -> list[dict[str, str]]:
    """What each part finds in its environment; none where the spec is one job.

    Raises Parted where they cannot be made; what would be too many is refused before any is made.
    """
    if array is not None:
        if matrix is not None or include or exclude:
            raise Parted("array", "is given beside a matrix; the index can be an axis of it")
        return [{INDEX: str(index)} for index in indexes(array)]
    if matrix is None and not include and not exclude:
        return []
    if exclude and not matrix:
        raise Parted("exclude", "takes combinations out of a `matrix`; there is none")
    if not matrix and not include:
        raise Parted("matrix", "has no axis; name one, with its values")
    made = combinations(matrix or {}, include, exclude)
    names = {axis: variable(axis) for combination in made for axis in combination}
    return [
        {names[axis]: text for axis, text in combination.items()} | {INDEX: str(index)}
        for index, combination in enumerate(made)
    ]


def indexes(array: int | str) -> list[int]:
    """`3` → 0, 1, 2; `1-9:4` → 1, 5, 9; `1,7-8` → 1, 7, 8. Raises Parted."""
    if isinstance(array, int):
        if not 1 <= array <= PARTS_MAX:
            raise Parted("array", f"is 1 to {PARTS_MAX}: {_TOO_MANY}")
        return list(range(array))
    found: list[int] = []
    for item in array.split(","):
        match = _RANGE.fullmatch(item.strip())
        first, last, step = (0, -1, 1) if match is None else _ints(match)
        if last < first or step < 1:
            raise Parted("array", f"`{item.strip()}` is no index and no range such as 1-100 or 0-90:10")
        if len(found) + (last - first) // step + 1 > PARTS_MAX:
            raise Parted("array", f"has more than {PARTS_MAX} indexes: {_TOO_MANY}")
        found += range(first, last + 1, step)
    if len(set(found)) < len(found):
        raise Parted("array", "names an index twice")
    return found


def _ints(match: re.Match[str]) -> tuple[int, int, int]:
    first = int(match[1])
    return first, int(match[2] or first), int(match[3] or 1)


def combinations(
    axes: Mapping[str, Sequence[Any]], include: Sequence[Mapping[str, Any]], exclude: Sequence[Mapping[str, Any]]
) -> list[Combination]:
    """Every combination, the first axis changing slowest, without what is excluded, with what is included.

    Raises Parted. Source: GitHub's workflow syntax, `jobs.<job_id>.strategy.matrix`.
    """
    count = prod(len(values) for values in axes.values()) if axes else 0
    if count > PARTS_MAX or len(include) > PARTS_MAX:
        raise Parted(
            "matrix" if count > PARTS_MAX else "include", f"has {max(count, len(include))} combinations: {_TOO_MANY}"
        )
    if max(count, 1) * (len(exclude) + (len(include) if axes else 0)) > COMPARED_MAX:
        raise Parted("include", "and `exclude` have too many entries for so many combinations; write fewer axes")
    texts = {axis: [_text(v, f"matrix.{axis}[{i}]") for i, v in enumerate(values)] for axis, values in axes.items()}
    _check_axes(texts)
    left_out = [_entry(entry, f"exclude[{index}]") for index, entry in enumerate(exclude)]
    for index, entry in enumerate(left_out):
        _check_excludes(entry, texts, f"exclude[{index}]")
    every = [dict(zip(texts, values, strict=True)) for values in product(*texts.values())] if axes else []
    original = [one for one in every if not any(entry.items() <= one.items() for entry in left_out)]
    made = [dict(one) for one in original]
    for index, given in enumerate(include):
        entry = _entry(given, f"include[{index}]")
        fixed = {axis: text for axis, text in entry.items() if axis in texts}.items()
        matching = [place for place, one in enumerate(original) if fixed <= one.items()]
        for place in matching:
            made[place] |= entry
        if not matching:
            made.append(entry)
    _check_made(made)
    return made


def _check_axes(texts: Mapping[str, list[str]]) -> None:
    for axis, values in texts.items():
        if _AXIS.fullmatch(axis) is None:
            raise Parted(f"matrix.{axis}", "is no name of an axis: letters, digits, `_`, `-` and `.`")
        if not values:
            raise Parted(f"matrix.{axis}", "has no value, so that there would be no combination; give it one")
        if len(set(values)) < len(values):
            raise Parted(f"matrix.{axis}", "has a value twice")


def _check_excludes(entry: Combination, texts: Mapping[str, list[str]], field: str) -> None:
    for axis, text in entry.items():
        if axis not in texts:
            raise Parted(f"{field}.{axis}", f"is no axis of the matrix; there are: {', '.join(texts)}")
        if text not in texts[axis]:
            raise Parted(f"{field}.{axis}", f"`{text}` is none of the axis's values, so that nothing is excluded")


def _check_made(made: list[Combination]) -> None:
    if not made:
        raise Parted("exclude", "leaves no combination")
    if len(made) > PARTS_MAX:
        raise Parted("include", f"makes more than {PARTS_MAX} combinations: {_TOO_MANY}")
    spelt: dict[str, str] = {}
    for axis in dict.fromkeys(axis for one in made for axis in one):
        if spelt.setdefault(variable(axis), axis) != axis:
            raise Parted(f"matrix.{axis}", f"and `{spelt[variable(axis)]}` would both be {variable(axis)}")
    if len({frozenset(one.items()) for one in made}) < len(made):
        raise Parted("include", "makes the same combination twice")


def _entry(entry: Mapping[str, Any], field: str) -> Combination:
    if not entry:
        raise Parted(field, "is empty")
    for axis in entry:
        if _AXIS.fullmatch(axis) is None:
            raise Parted(f"{field}.{axis}", "is no name of an axis: letters, digits, `_`, `-` and `.`")
    return {axis: _text(value, f"{field}.{axis}") for axis, value in entry.items()}


def _text(value: Any, field: str) -> str:  # noqa: ANN401  (whatever JSON holds)
    """The value as the part finds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        raise Parted(field, f'{_SCALAR}; write it as text, such as "3.10", which as a number would be 3.1')
    if not isinstance(value, str | int):
        raise Parted(field, _SCALAR)
    text = str(value)
    if "\0" in text:
        raise Parted(field, "contains NUL")
    return text


def wrong_parts(
    array: int | str | None,
    matrix: Mapping[str, Sequence[Any]] | None,
    include: Sequence[Mapping[str, Any]],
    exclude: Sequence[Mapping[str, Any]],
    env: Mapping[str, str],
) -> Wrong:
    """What is wrong with a spec's parts, as field and message."""
    try:
        made = parts(array, matrix, include, exclude)
    except Parted as parted:
        return parted.wrong
    return list(_clashes(made, env))


def _clashes(made: list[dict[str, str]], env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    given = {name for part in made for name in part}
    for name in env:
        if name in given:
            yield f"env.{name}", "is set by Rota in each part; take another name"
