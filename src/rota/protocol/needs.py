"""What a job waits for that others do, and when that is met. Source: protocol.md, "needs"."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from rota.protocol.ids import JobId
from rota.protocol.problems import FieldError, InvalidRequest
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import Answer

NEEDS_MAX = 10_000
"""Most needs of one spec, and most in a submission of one."""
LINKS_MAX = 100_000
"""Most needs in one submission."""

OnUnmet = Literal["skip", "run", "cancel"]
"""What becomes of a job one of whose needs cannot be met any more: it is cancelled, it runs all the same, or it is
cancelled together with all of its submission that has not ended."""

_ONE_OF = "names a job by its `job_id`, or by `job`, the name of another spec of the same submission: one of the two"


class On(StrEnum):
    """Which end of the needed job meets the need; asked when the scheduler has given its verdict."""

    SUCCEEDED = "succeeded"  # the verdict is `succeeded`
    FAILED = "failed"  # the verdict is `failed`, and the job was not cancelled
    FINISHED = "finished"  # it ran to its end: the state is `finished`, whatever the verdict
    ANY = "any"  # it has ended, in whatever way


class JobReference(Answer, frozen=True, omit_defaults=True):
    """One job: by its id, or by the name that another spec of the same submission has."""

    job_id: JobId | None = None
    job: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Need(JobReference, frozen=True, omit_defaults=True):
    """One job that must have ended, and how."""

    on: On = On.SUCCEEDED


class SubmittedNeed(Need, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""


class ArtifactOf(JobReference, frozen=True, omit_defaults=True, kw_only=True):
    """An artifact of another job."""

    path: str


class SubmittedArtifactOf(ArtifactOf, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """The same, strict."""


class ResultOf(JobReference, frozen=True, omit_defaults=True):
    """The value of another job's result, as a file of JSON."""


class SubmittedResultOf(ResultOf, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""


def need_of(given: str | Need) -> Need:
    """A need as it is meant: an id alone asks for success."""
    return Need(JobId(given)) if isinstance(given, str) else given


def is_met(on: On, state: JobState, verdict: Verdict) -> bool:
    """Whether a job that ended so is what was needed."""
    if on is On.SUCCEEDED:
        return verdict is Verdict.SUCCEEDED
    if on is On.FAILED:
        return verdict is Verdict.FAILED and state is not JobState.CANCELLED
    return on is On.ANY or state is JobState.FINISHED


def unmet(needed: JobId, name: str | None, on: On, state: JobState, verdict: Verdict) -> str:
    """Why a job does not run, such as `It needs job 0192… (build) to have succeeded, which failed.`."""
    wanted = {On.SUCCEEDED: "succeeded", On.FAILED: "failed", On.FINISHED: "finished", On.ANY: "ended"}[on]
    became = str(verdict) if state is JobState.FINISHED else f"{'' if state is JobState.EXPIRED else 'was '}{state}"
    return f"It needs job {needed}{f' ({name})' if name else ''} to have {wanted}, which {became}."


def wrong_reference(reference: JobReference, field: str) -> list[tuple[str, str]]:
    """What is wrong with it, behind its field's name."""
    return [(field, _ONE_OF)] if (reference.job_id is None) == (reference.job is None) else []


def wrong_needs(needs: Sequence[str | Need], on_unmet: str | None, *, has_references: bool) -> list[tuple[str, str]]:
    """What is wrong with one spec's needs, as field and message."""
    if len(needs) > NEEDS_MAX:
        return [("needs", f"has at most {NEEDS_MAX} entries; need an array, which is one job with many parts")]
    wrong: list[tuple[str, str]] = []
    if on_unmet is not None and not needs and not has_references:
        wrong.append(("on_unmet", "says what becomes of a job whose `needs` are not met; it has none"))
    seen: set[tuple[str | None, str | None]] = set()
    for index, need in enumerate(map(need_of, needs)):
        wrong += wrong_reference(need, f"needs[{index}]")
        if (need.job_id, need.job) in seen:
            wrong.append((f"needs[{index}]", "names the same job twice; one entry says what is needed of it"))
        seen.add((need.job_id, need.job))
    return wrong


def places(names: Sequence[str | None], asked: set[str]) -> dict[str, int | None]:
    """Where the spec of each name is that is asked for; None where several have it."""
    found: dict[str, int | None] = {}
    for place, name in enumerate(names):
        if name is not None and name in asked:
            found[name] = None if name in found else place
    return found


def place_of(found: Mapping[str, int | None], name: str, field: str) -> int:
    """The spec that is meant by a name. Raises InvalidRequest where none, or more than one, has it."""
    if name not in found:
        raise InvalidRequest.of(field, f"no other spec of this submission has the name `{name}`")
    place = found[name]
    if place is None:
        raise InvalidRequest.of(field, f"several specs of this submission have the name `{name}`; give each its own")
    return place


def check_no_cycle(edges: Sequence[Sequence[int]], names: Sequence[str], fields: Sequence[str]) -> None:
    """Raise InvalidRequest naming the circle, `a → b → a`, where one job would wait for itself.

    `edges` has for each spec those that it needs; takes time in proportion to what is there.
    """
    waiting = [len(needed) for needed in edges]
    needed_by: list[list[int]] = [[] for _ in edges]
    for place, needed in enumerate(edges):
        for other in needed:
            needed_by[other].append(place)
    free = [place for place, count in enumerate(waiting) if count == 0]
    while free:
        for place in needed_by[free.pop()]:
            waiting[place] -= 1
            if waiting[place] == 0:
                free.append(place)
    stuck = next((place for place, count in enumerate(waiting) if count), None)
    if stuck is None:
        return
    path: dict[int, int] = {}  # in the order of the walk, each with its place in it
    at = stuck
    while at not in path:
        path[at] = len(path)
        at = next(other for other in edges[at] if waiting[other])
    circle = [*list(path)[path[at] :], at]
    shown = circle if len(circle) <= _SHOWN_MAX else [*circle[: _SHOWN_MAX - 1], circle[-1]]
    words = [names[place] for place in shown]
    if shown is not circle:
        words.insert(-1, "…")
    message = f"the jobs would wait for each other for ever: {' → '.join(words)}"
    field = f"{fields[circle[0]]}needs"
    raise InvalidRequest(f"{field}: {message}", [FieldError(field, message)])


_SHOWN_MAX = 20
"""Of a long circle; who sees so many can find the rest."""
