"""What a job asks of one label: its text, one of several texts, or a condition. Source: protocol.md, "Conditions".

The short forms compare texts: `"a100"`, `["a100", "h100"]`. A condition compares by value: a number in it as a number,
a text as a version where both are versions (`3.10` is later than `3.9`), else as a number, else as a text.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Optional

import msgspec
from packaging.version import InvalidVersion, Version

from rota.protocol.wire import Answer

Value = str | int | float
Test = Callable[[str | None], bool]
"""Whether a label with this text satisfies it; None: the worker has no such label."""

VALUES_MAX = 1000
"""Most values in all conditions of one spec."""
DEPTH_MAX = 4
"""How often `not` may stand inside `not`."""
COMPARED_SIZE_MAX = 100
"""A longer text is neither number nor version."""
_REMEMBERED = 4096
_NUMBER = re.compile(r"[+-]?(\d+)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_WORDS = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Condition(Answer, frozen=True, omit_defaults=True):
    """True where all that it says is true. A label that the worker lacks satisfies `ne`, `not_in`, `exists: false`."""

    in_: list[Value] | None = msgspec.field(default=None, name="in")
    not_in: list[Value] | None = None
    eq: Value | None = None
    ne: Value | None = None
    gt: Value | None = None
    ge: Value | None = None
    lt: Value | None = None
    le: Value | None = None
    exists: bool | None = None
    not_: Optional["Condition"] = msgspec.field(default=None, name="not")


class SubmittedCondition(Condition, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""

    not_: Optional["SubmittedCondition"] = msgspec.field(default=None, name="not")


_MEANT = msgspec.Meta(description='a text such as "a100", a list of texts, or a condition such as {"ge": "12.2"}')
Wanted = Annotated[str | list[str] | Condition, _MEANT]
SubmittedWanted = Annotated[str | list[str] | SubmittedCondition, _MEANT]
Wants = Mapping[str, Wanted]


def compiled(wanted: Wanted) -> Test:
    """The test that `wanted` is, to be made once and used for many labels."""
    if isinstance(wanted, str):
        return lambda label: label == wanted
    if isinstance(wanted, list):
        return frozenset(wanted).__contains__
    tests = list(_tests(wanted))
    # The labels of thousands of workers have few texts.
    return functools.lru_cache(_REMEMBERED)(lambda label: all(test(label) for test in tests))


def holds(wanted: Wanted, label: str | None) -> bool:
    """Whether a label satisfies it."""
    return compiled(wanted)(label)


def compare(label: str, value: Value) -> int | None:
    """-1, 0 or 1 as the label is less than, equal to or more than the value; None where there is no saying."""
    if label == value:
        return 0
    if isinstance(value, str):
        one, other = _version(label), _version(value)
        if one is not None and other is not None:
            return (one > other) - (one < other)
    mine, its = _number(label), _number(value) if isinstance(value, str) else value
    return None if mine is None or its is None else (mine > its) - (mine < its)


def wrong_wants(wants: Wants, field: str) -> list[tuple[str, str]]:
    """What could never be meant so: the field of each, and what to write instead."""
    wrong = [(field, "holds an empty key")] if "" in wants else []
    texts = [text for label, wanted in wants.items() for text in (label, *_texts(wanted))]
    if not all(map(_is_text, texts)):
        wrong.append((field, "contains NUL, or is no valid text"))
    for label, wanted in wants.items():
        wrong += _wrong(wanted, f"{field}.{label}", DEPTH_MAX)
    if sum(len(_values(wanted)) for wanted in wants.values() if not isinstance(wanted, str)) > VALUES_MAX:
        wrong.append((field, f"has at most {VALUES_MAX} values in its conditions"))
    return wrong


def said(label: str, wanted: Wanted) -> str:
    """The condition as the command line writes it: `gpu=a100`, `cuda>=12.2`, `gpu in a100,h100`."""
    if isinstance(wanted, str):
        return f"{label}={wanted}"
    if isinstance(wanted, list):
        return f"{label} in {','.join(wanted)}"
    parts = [f"{label}{word}{getattr(wanted, key)}" for key, word in _WORDS.items() if getattr(wanted, key) is not None]
    if wanted.in_ is not None:
        parts.append(f"{label} in {','.join(map(str, wanted.in_))}")
    if wanted.not_in is not None:
        parts.append(f"{label} not in {','.join(map(str, wanted.not_in))}")
    if wanted.exists is not None:
        parts.append(f"{label} {'exists' if wanted.exists else 'absent'}")
    if wanted.not_ is not None:
        parts.append(f"not ({said(label, wanted.not_)})")
    return " and ".join(parts)


def _tests(condition: Condition) -> Iterator[Test]:
    for key in ("gt", "ge", "lt", "le"):
        value = getattr(condition, key)
        if value is not None:
            yield functools.partial(_ORDER[key], value)
    if condition.eq is not None:
        yield functools.partial(_is_one_of, [condition.eq])
    if condition.in_ is not None:
        yield functools.partial(_is_one_of, condition.in_)
    if condition.ne is not None:
        yield _opposite(functools.partial(_is_one_of, [condition.ne]))
    if condition.not_in is not None:
        yield _opposite(functools.partial(_is_one_of, condition.not_in))
    if condition.exists is not None:
        exists = condition.exists
        yield lambda label: (label is not None) == exists
    if condition.not_ is not None:
        yield _opposite(compiled(condition.not_))


def _is_one_of(values: list[Value], label: str | None) -> bool:
    return label is not None and any(compare(label, value) == 0 for value in values)


def _ordered(label: str | None, value: Value, *fitting: int) -> bool:
    return label is not None and compare(label, value) in fitting


_ORDER: dict[str, Callable[[Value, str | None], bool]] = {
    "gt": lambda value, label: _ordered(label, value, 1),
    "ge": lambda value, label: _ordered(label, value, 0, 1),
    "lt": lambda value, label: _ordered(label, value, -1),
    "le": lambda value, label: _ordered(label, value, -1, 0),
}


def _opposite(test: Test) -> Test:
    return lambda label: not test(label)


@functools.lru_cache(_REMEMBERED)
def _number(text: str) -> int | float | None:
    found = _NUMBER.fullmatch(text) if len(text) <= COMPARED_SIZE_MAX else None
    if found is None:
        return None
    return float(text) if found[2] or found[3] else int(text)


@functools.lru_cache(_REMEMBERED)
def _version(text: str) -> Version | None:
    if len(text) > COMPARED_SIZE_MAX:
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _wrong(wanted: Wanted, field: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(wanted, list) and not wanted:
        yield field, 'is an empty set, which no worker can satisfy; name values, such as ["a100", "h100"]'
    elif isinstance(wanted, Condition):
        yield from _wrong_condition(wanted, field)
        if wanted.not_ is not None and depth == 0:
            yield f"{field}.not", f"stands inside more than {DEPTH_MAX} others; two `not` are none"
        elif wanted.not_ is not None:
            yield from _wrong(wanted.not_, f"{field}.not", depth - 1)


def _wrong_condition(condition: Condition, field: str) -> Iterator[tuple[str, str]]:
    names = zip(condition.__struct_encode_fields__, condition.__struct_fields__, strict=True)
    given = {key: getattr(condition, name) for key, name in names if getattr(condition, name) is not None}
    if not given:
        known = ", ".join(f"`{key}`" for key in condition.__struct_encode_fields__)
        yield field, f'says nothing; write one of {known}, such as {{"ge": "12.2"}}'
    for key in ("in", "not_in"):
        if given.get(key) == []:
            yield f"{field}.{key}", "is an empty set; name at least one value"
    for key in _ORDER:
        value = given.get(key)
        if isinstance(value, str) and _version(value) is None and _number(value) is None:
            yield f"{field}.{key}", "is neither a number nor a version; write such as 12.2, or compare with `eq`"


def _values(wanted: Wanted) -> list[Value]:
    """All values that it names."""
    if isinstance(wanted, str):
        return [wanted]
    if isinstance(wanted, list):
        return [*wanted]
    single = [getattr(wanted, key) for key in _WORDS if getattr(wanted, key) is not None]
    return [*single, *(wanted.in_ or []), *(wanted.not_in or []), *(_values(wanted.not_) if wanted.not_ else [])]


def _texts(wanted: Wanted) -> list[str]:
    return [value for value in _values(wanted) if isinstance(value, str)]


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
