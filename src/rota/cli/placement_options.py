"""The options of `run` and `submit` that say where a job runs: labels, preferences, resources."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from rota.cli.command import option
from rota.cli.quantities import read_size

F = TypeVar("F", bound=Callable[..., Any])
WANTED = "KEY=VALUE"
AMOUNT = "NAME=AMOUNT"
_COMPARED = re.compile(r"==|!=|>=|<=|=|>|<")
_KEYS = {"==": "eq", "!=": "ne", ">=": "ge", "<=": "le", ">": "gt", "<": "lt"}
_ORDER = re.compile(r"\.(gt|ge|lt|le)$")
_OPTIONS = {"cpus": "--cpus", "memory_bytes": "--mem", "gpus": "--gpus", "disk_bytes": "--disk"}
_SET = re.compile(r"(\S+)\s+(in|not in)\s+(\S.*)")
_THERE = re.compile(r"(\S+)\s+(exists|absent)")
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_FORMS = "Write such as gpu=a100, 'cuda>=12.2', 'site!=lab', 'gpu in a100,h100', 'gpu exists' or 'gpu absent'."


class Amount(click.ParamType[int | float]):
    """A number; with `in_bytes` a size such as 4GiB."""

    name = "AMOUNT"

    def __init__(self, *, in_bytes: bool = False) -> None:
        self.in_bytes = in_bytes

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        amount = read_amount(str(value), in_bytes=self.in_bytes)
        if amount is None:
            what = "is no size. Write bytes, or such as 512M, 4GiB." if self.in_bytes else "is no number of them."
            self.fail(f"`{value}` {what}", param, ctx)
        return amount


def placement_options(function: F) -> F:
    """Adds them to a command; they come as `require`, `prefer`, `cpus`, `mem`, `gpus`, `disk`, `resource`."""
    for decorate in reversed(
        [
            option("--require", metavar=WANTED, multiple=True,
                   help="A label that the worker must have; also 'KEY>=VALUE' (numbers and versions), 'KEY!=VALUE', "
                   "'KEY in A,B', 'KEY exists'. Repeatable."),
            option("--prefer", metavar=WANTED, multiple=True,
                   help="The same, where there is a choice: nothing waits for it. Repeatable."),
            option("--cpus", metavar="N", type=Amount(), help="So many of the worker's CPUs are this job's own."),
            option("--mem", metavar="SIZE", type=Amount(in_bytes=True), help="So much memory, such as 4GiB, likewise."),
            option("--gpus", metavar="N", type=Amount(), help="So many GPUs, likewise."),
            option("--disk", metavar="SIZE", type=Amount(in_bytes=True), help="So much disk, likewise."),
            option("--resource", metavar=AMOUNT, multiple=True,
                   help="So much of what a worker offers by that name (rota worker --resource). Repeatable."),
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


def wants(spelling: str, given: Sequence[str]) -> dict[str, Any]:
    """The conditions by label, as protocol.md has them. Raises click.UsageError for what is none."""
    found: dict[str, Any] = {}
    for text in given:
        key, word, value = _read_wanted(spelling, text)
        before = found.get(key)
        if word == "=":
            if isinstance(before, dict):
                raise click.UsageError(f"{spelling}: `{key}` has a condition already; write {key}=={value} beside it.")
            found[key] = value
        elif isinstance(before, str):
            raise click.UsageError(f"{spelling}: `{key}` is {before} already; write {key}=={before} beside `{text}`.")
        else:
            _add(spelling, text, found.setdefault(key, {}), word, value)
    _check(spelling, found)
    return found


def resources(
    named: Mapping[str, int | float | None], spelling: str, given: Sequence[str], *, is_asked: bool
) -> dict[str, int | float]:
    """All amounts by name. Raises click.UsageError for one that is none, or is given twice."""
    from rota.protocol.resources import wrong_resources  # noqa: PLC0415  (start-up time)

    found = {name: amount for name, amount in named.items() if amount is not None}
    for text in given:
        name, equals, amount_text = text.partition("=")
        amount = read_amount(amount_text, in_bytes=name.endswith("_bytes"))
        if not equals or not name or amount is None:
            example = f"{name}=4GiB" if name.endswith("_bytes") else "licences=2"
            raise click.UsageError(f"{spelling}: `{text}` is not {AMOUNT}, such as {example}.")
        if found.get(name, amount) != amount:
            raise click.UsageError(f"{spelling}: `{name}` is given twice, as {found[name]} and as {amount}.")
        found[name] = amount
    for field, message in wrong_resources(found, "", is_asked=is_asked):
        name = field.removeprefix(".")
        shown = f"{_OPTIONS[name]}: it" if named.get(name) is not None else f"{spelling}: `{name}`"
        raise click.UsageError(f"{shown} {message}.")
    return found


def read_amount(text: str, *, in_bytes: bool) -> int | float | None:
    """The number, or the size in bytes; None where the text is none."""
    if in_bytes:
        return read_size(text)
    if _NUMBER.fullmatch(text.strip()) is None:
        return None
    return float(text) if "." in text else int(text)


def _read_wanted(spelling: str, text: str) -> tuple[str, str, str]:
    """Key, word and value: the first of `== != >= <= = > <` counts, `=` as ever takes both sides as they are."""
    compared = _COMPARED.search(text)
    if compared is not None:
        key, word, value = text[: compared.start()], compared[0], text[compared.end() :]
        if word != "=":
            key, value = key.strip(), value.strip()
        if not key or (word != "=" and not value) or value[:1] in {"=", "<", ">"} or key.endswith("~"):
            raise click.UsageError(f"{spelling}: `{text}` is not {WANTED}, and no condition. {_FORMS}")
        return key, word, value
    found = _SET.fullmatch(text.strip()) or _THERE.fullmatch(text.strip())
    if found is None:
        raise click.UsageError(f"{spelling}: `{text}` is not {WANTED}, and no condition. {_FORMS}")
    return found[1], found[2], found[3] if found.re is _SET else ""


def _add(spelling: str, text: str, condition: dict[str, Any], word: str, value: str) -> None:
    if word in {"exists", "absent"}:
        key, said = "exists", word == "exists"
        if condition.setdefault(key, said) != said:
            raise click.UsageError(f"{spelling}: `{text}` is the opposite of what stands before it.")
    elif word in {"!=", "not in"}:
        condition.setdefault("not_in", []).extend(_values(spelling, text, value) if word == "not in" else [value])
    else:
        key = _KEYS.get(word, word)
        read = _values(spelling, text, value) if key == "in" else value
        if condition.setdefault(key, read) != read:
            raise click.UsageError(f"{spelling}: `{text}` is given with another value too; leave out one of the two.")


def _values(spelling: str, text: str, value: str) -> list[str]:
    found = [one.strip() for one in value.split(",")]
    if not all(found):
        raise click.UsageError(f"{spelling}: `{text}` names an empty value; write such as 'gpu in a100,h100'.")
    return found


def _check(spelling: str, found: Mapping[str, Any]) -> None:
    """Raise click.UsageError where a comparison is with what is in no order."""
    if all(isinstance(wanted, str) for wanted in found.values()):
        return
    import msgspec  # noqa: PLC0415  (start-up time)

    from rota.protocol.conditions import Condition, wrong_wants  # noqa: PLC0415  (start-up time)

    read = {key: one if isinstance(one, str) else msgspec.convert(one, Condition) for key, one in found.items()}
    for field, message in wrong_wants(read, ""):
        raise click.UsageError(f"{spelling}: `{re.sub(_ORDER, '', field.removeprefix('.'))}` {message}.")
