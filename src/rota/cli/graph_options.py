"""The options of `run` and `submit` that speak of other jobs, of parts and of a group, and what a spec has of them."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import click

from rota.cli.command import option
from rota.cli.quantities import read_duration
from rota.protocol.needs import On, OnUnmet

F = TypeVar("F", bound=Callable[..., Any])

_PLACE = re.compile(r"(?P<job>https?://[^/]+/[^:]+|[^:]+):(?P<path>[^:]+)(?::(?P<to>[^:]+))?")
_RATE = re.compile(r"([0-9]{1,9})/(.+)")


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """What was given on the command line."""

    after: tuple[str, ...]
    on_unmet: str | None
    input_from: tuple[str, ...]
    result_from: tuple[str, ...]
    array: str | None
    matrix: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    max_parallel: int | None
    fail_fast: bool
    group: str | None
    group_limit: int | None
    cancel_in_progress: bool
    rate: str | None


def graph_options(function: F) -> F:
    """Adds them to a command."""
    pair, several = "AXIS=VALUE,…", "Repeatable."
    ends, unmet = "|".join(On), click.Choice(get_args(OnUnmet))
    for decorate in reversed(
        [
            option("--after", metavar="JOB[:END]", multiple=True,
                   help=f"Wait for this job, which is to have {ends} (succeeded). {several}"),
            option("--on-unmet", type=unmet, show_default="skip",
                   help="Where an --after is not met: skip the job, run it all the same, or cancel its submission."),
            option("--input-from", metavar="JOB:PATH[:DEST]", multiple=True,
                   help=f"Another job's artifact, put into the job's folder. {several}"),
            option("--result-from", metavar="JOB:DEST", multiple=True,
                   help=f"The value of another job's result, as a file of JSON. {several}"),
            option("--array", metavar="N|FROM-TO", help="Many parts, each with its ROTA_ARRAY_INDEX: 10 is 0 to 9; or "
                   "1-100, 0-90:10, 1,5,7."),
            option("--matrix", metavar=pair, multiple=True,
                   help=f"A part for each value; several axes: for each combination, as ROTA_MATRIX_AXIS. {several}"),
            option("--include", metavar=pair, multiple=True, help=f"More for the combinations that fit, or one more. "
                   f"{several}"),
            option("--exclude", metavar=pair, multiple=True, help=f"Combinations to leave out. {several}"),
            option("--max-parallel", metavar="N", type=click.IntRange(1), help="Most parts at once."),
            option("--fail-fast", is_flag=True, help="With the first part that fails, cancel the others."),
            option("--group", metavar="NAME", help="A concurrency group: its jobs take turns."),
            option("--group-limit", metavar="N", type=click.IntRange(1), show_default="1",
                   help="How many of the group may be at work."),
            option("--cancel-in-progress", is_flag=True, help="Cancel who is in the group, and take their place."),
            option("--rate", metavar="N/TIME", help="At most N of the group begin in this time, such as 10/1m."),
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


def graph_fields(options: GraphOptions) -> dict[str, Any]:
    """Their fields of a spec, as protocol.md has it; jobs as they were named. Raises click.UsageError."""
    array = options.array
    fields: dict[str, Any] = {
        "needs": [_need(text) for text in options.after],
        "on_unmet": options.on_unmet,
        "array": int(array) if array is not None and array.isascii() and array.isdigit() else array,
        "matrix": _axes(options.matrix),
        "include": [_entry("--include", text) for text in options.include],
        "exclude": [_entry("--exclude", text) for text in options.exclude],
        "max_parallel": options.max_parallel,
        "fail_fast": options.fail_fast or None,
        "concurrency": _concurrency(options),
    }
    return {field: value for field, value in fields.items() if value is not None and value not in ({}, [])}


def referring_inputs(options: GraphOptions) -> list[dict[str, Any]]:
    """Inputs that other jobs bring."""
    found: list[dict[str, Any]] = []
    for text in options.input_from:
        job, path, to = _place("--input-from", text)
        found.append({"path": to or path, "artifact": {"job_id": job, "path": path}})
    for text in options.result_from:
        job, path, to = _place("--result-from", text)
        if to is not None:
            raise click.UsageError(f"--result-from: `{text}` is not JOB:DEST.")
        found.append({"path": path, "result": {"job_id": job}})
    return found


def with_ids(spec: Mapping[str, Any], find: Callable[[str], str]) -> dict[str, Any]:
    """The spec with whole ids where it names jobs, each found by `find`."""
    ids = {name: find(name) for name in _named(spec)}
    return _replaced(spec, ids)


async def with_ids_async(spec: Mapping[str, Any], find: Callable[[str], Awaitable[str]]) -> dict[str, Any]:
    """The same, awaited."""
    ids = {name: await find(name) for name in _named(spec)}
    return _replaced(spec, ids)


def _named(spec: Mapping[str, Any]) -> list[str]:
    files = [file.get("artifact") or file.get("result") for file in spec.get("inputs", [])]
    return [one["job_id"] for one in [*spec.get("needs", []), *files] if one]


def _replaced(spec: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    def told(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, "job_id": ids[one["job_id"]]}

    made = dict(spec)
    if "needs" in spec:
        made["needs"] = [told(need) for need in spec["needs"]]
    if "inputs" in spec:
        made["inputs"] = [
            {key: told(value) if key in {"artifact", "result"} else value for key, value in file.items()}
            for file in spec["inputs"]
        ]
    return made


def _need(text: str) -> dict[str, str]:
    job, _, on = text.rpartition(":")
    if job and on in set(On):
        return {"job_id": job, "on": on}
    if job and not text.startswith(("http://", "https://")):
        raise click.UsageError(f"--after: `{text}` is not JOB or JOB:END, with {', '.join(On)} as END.")
    return {"job_id": text}


def _place(spelling: str, text: str) -> tuple[str, str, str | None]:
    found = _PLACE.fullmatch(text)
    if found is None:
        form = "JOB:PATH or JOB:PATH:DEST" if spelling == "--input-from" else "JOB:DEST"
        raise click.UsageError(f"{spelling}: `{text}` is not {form}.")
    return found["job"], found["path"], found["to"]


def _axes(given: Sequence[str]) -> dict[str, list[str]]:
    axes: dict[str, list[str]] = {}
    for text in given:
        axis, equals, values = text.partition("=")
        if not equals or not axis:
            raise click.UsageError(f"--matrix: `{text}` is not AXIS=VALUE,VALUE.")
        if axis in axes:
            raise click.UsageError(f"--matrix: the axis `{axis}` is given twice; put its values behind one.")
        axes[axis] = values.split(",")
        if "" in axes[axis]:
            raise click.UsageError(f"--matrix: `{text}` has an empty value.")
    return axes


def _entry(spelling: str, text: str) -> dict[str, str]:
    entry: dict[str, str] = {}
    for pair in text.split(","):
        axis, equals, value = pair.partition("=")
        if not equals or not axis:
            raise click.UsageError(f"{spelling}: `{text}` is not AXIS=VALUE,AXIS=VALUE.")
        entry[axis] = value
    return entry


def _concurrency(options: GraphOptions) -> dict[str, Any] | None:
    given = {
        "limit": options.group_limit,
        "cancel_in_progress": options.cancel_in_progress or None,
        "rate": None if options.rate is None else _rate(options.rate),
    }
    fields = {field: value for field, value in given.items() if value is not None}
    if options.group is None:
        if fields:
            raise click.UsageError("--group-limit, --cancel-in-progress and --rate say how a --group works; name one.")
        return None
    return {"group": options.group, **fields}


def _rate(text: str) -> dict[str, Any]:
    found = _RATE.fullmatch(text)
    per_s = None if found is None else read_duration(found[2] if found[2][0] in "0123456789" else f"1{found[2]}")
    if found is None or per_s is None:
        raise click.UsageError(f"--rate: `{text}` is not N/TIME, such as 10/1m or 5/s.")
    return {"count": int(found[1]), "per_s": per_s}
