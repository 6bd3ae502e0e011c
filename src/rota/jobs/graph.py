"""Who needs whom in a submission: names become ids; what could never be is refused. Source: protocol.md, "needs"."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from rota.protocol.ids import JobId
from rota.protocol.needs import LINKS_MAX, JobReference, Need, check_no_cycle, need_of, place_of, places
from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import Spec
from rota.storage.stores.holds import Known

NO_SUCH_JOB = "there is no such job"


def references(spec: Spec) -> Iterator[tuple[str, JobReference]]:
    """Every place in which a spec names another job."""
    for index, need in enumerate(spec.needs):
        yield f"needs[{index}]", need_of(need)
    for index, file in enumerate(spec.inputs):
        if file.reference is not None:
            yield f"inputs[{index}].{'result' if file.artifact is None else 'artifact'}", file.reference


def named_ids(specs: Sequence[Spec]) -> list[JobId]:
    """The jobs that a submission names by their ids."""
    return list({one.job_id: None for spec in specs for _, one in references(spec) if one.job_id is not None})


def linked(
    specs: Sequence[Spec],
    ids: Sequence[JobId],
    fields: Sequence[str],
    known: Mapping[JobId, Known],
    visible: str | None,
) -> list[Spec]:
    """The specs with an id wherever they name a job.

    `known` has the jobs that they name by id, `visible` is the environment that the caller may see, None for all.
    Raises InvalidRequest for a job that there is not, for a circle, and for an input that could not be there in time.
    """
    if sum(len(spec.needs) for spec in specs) > LINKS_MAX:
        raise InvalidRequest.of("needs", f"are more than {LINKS_MAX} in all; need an array, which is one job")
    asked = {one.job for spec in specs for _, one in references(spec) if one.job is not None}
    found = places([spec.name for spec in specs], asked) if asked else {}
    edges: list[list[int]] = []
    made: list[Spec] = []
    for spec, field in zip(specs, fields, strict=True):
        if not spec.needs and not any(file.reference for file in spec.inputs):
            edges.append([])
            made.append(spec)
            continue
        targets: dict[str, tuple[JobId, bool, bool]] = {}
        needed: list[int] = []
        for at, one in references(spec):
            job, place = _target(one, ids, found, known, visible, field + at)
            is_array = known[job].is_array if place is None else specs[place].has_parts
            is_decided = place is None and known[job].is_decided
            targets[at] = job, is_array, is_decided
            if place is not None and at.startswith("needs"):
                needed.append(place)
        edges.append(needed)
        made.append(_with_ids(spec, targets, field))
    if any(edges):
        names = [spec.name or field.rstrip(".") for spec, field in zip(specs, fields, strict=True)]
        check_no_cycle(edges, names, fields)
    return made


def _target(
    one: JobReference,
    ids: Sequence[JobId],
    found: Mapping[str, int | None],
    known: Mapping[JobId, Known],
    visible: str | None,
    field: str,
) -> tuple[JobId, int | None]:
    """The job that is meant, and its place in the submission where it is of it."""
    if one.job is not None:
        if len(ids) == 1:
            raise InvalidRequest.of(
                f"{field}.job", "names a spec of the same submission, which has no other; give an id"
            )
        place = place_of(found, one.job, f"{field}.job")
        return ids[place], place
    job = JobId(one.job_id or "")
    there = known.get(job)
    if there is None or visible not in {None, there.environment}:
        raise InvalidRequest.of(field, f"{NO_SUCH_JOB}: {job}")
    return job, None


def _with_ids(spec: Spec, targets: Mapping[str, tuple[JobId, bool, bool]], field: str) -> Spec:
    needs: list[str | Need] = []
    needed: set[JobId] = set()
    for index, need in enumerate(map(need_of, spec.needs)):
        job = targets[f"needs[{index}]"][0]
        if job in needed:
            raise InvalidRequest.of(f"{field}needs[{index}]", "names the same job twice; one entry says what is needed")
        needed.add(job)
        needs.append(Need(job, None, need.on))
    inputs = list(spec.inputs)
    for index, file in enumerate(spec.inputs):
        kind = "result" if file.artifact is None else "artifact"
        at = f"inputs[{index}].{kind}"
        if at not in targets:
            continue
        job, is_array, is_decided = targets[at]
        if is_array:
            raise InvalidRequest.of(field + at, "is that of an array, which has none itself; name one of its parts")
        if job not in needed and not is_decided:
            raise InvalidRequest.of(field + at, "is that of a job that has not ended yet; name it in `needs` too")
        reference = replace(getattr(file, kind), job_id=job, job=None)
        inputs[index] = replace(file, **{kind: reference})
    return replace(spec, needs=needs, inputs=inputs)
