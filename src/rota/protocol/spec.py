"""What is submitted: one spec is one job. Source: protocol.md, "Spec"."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from rota.protocol.concurrency import Concurrency, SubmittedConcurrency
from rota.protocol.conditions import SubmittedWanted, Wanted, wrong_wants
from rota.protocol.matrix import wrong_parts
from rota.protocol.moments import wrong_moments
from rota.protocol.needs import (
    ArtifactOf,
    JobReference,
    Need,
    OnUnmet,
    ResultOf,
    SubmittedArtifactOf,
    SubmittedNeed,
    SubmittedResultOf,
    wrong_needs,
    wrong_reference,
)
from rota.protocol.paths import check_path
from rota.protocol.problems import FieldError, InvalidRequest
from rota.protocol.resources import Resources, wrong_resources
from rota.protocol.retry import Codes, Retry, SubmittedRetry, wrong_retry
from rota.protocol.wire import Answer, Base64, Sha256, Size, Timestamp, from_base64

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86400)]
Priority = Annotated[int, Meta(ge=-100, le=100)]

GRACE_S = 10.0
"""From SIGTERM to SIGKILL where the spec does not say."""
DETACH_TIMEOUT_S = 86_400.0
"""How long a job of `lease_policy: keep` is kept for a worker that is not heard of, where the spec does not say."""
PROCESS = "process"
"""The executor that starts a process on the worker; the only one so far."""
ENVIRONMENT = "default"
"""Where a job goes whose spec and credential name no environment."""
SET_BY_ROTA = frozenset({"ROTA_JOB_ID", "ROTA_ATTEMPT", "ROTA_RESULT"})
"""Variables that every job is given; a spec's own would be lost."""
ARTIFACTS_MAX = 1000
"""Most globs in one spec: each is held against every file that the job leaves."""
SPECS_MAX = 10_000
"""Most specs in one submission."""

_LATER = "is not supported by this server yet; leave it out"
LATER = dict.fromkeys(
    (
        "secrets", "image",
    ),
    _LATER,
)  # fmt: skip
LATER |= {"url": "inputs from a URL are not supported by this server yet; send `content` instead"}
"""Fields of the protocol that are not built yet: refused by name, never accepted and ignored."""


class InputFile(Answer, frozen=True, omit_defaults=True):
    """A file put into the job's folder before it starts. `content` is base64; lists and offers leave it out.

    `artifact` and `result` are another job's, looked up when this one is let into its queue.
    """

    path: str
    content: Base64 | None = None
    artifact: ArtifactOf | None = None
    result: ResultOf | None = None

    @property
    def reference(self) -> JobReference | None:
        """The job that it comes from; None where it was sent along."""
        return self.artifact or self.result


class Spec(Answer, frozen=True, omit_defaults=True):
    """What to run, where, and what to bring back, as it is shown and offered. Exactly one of `command`, `script`."""

    command: list[str] | None = None
    script: str | None = None
    name: Name | None = None
    environment: Name | None = None
    requires: Mapping[str, Wanted] = {}
    prefers: Mapping[str, Wanted] = {}
    resources: Resources = {}
    env: dict[str, str] = {}
    inputs: list[InputFile] = []
    artifacts: list[str] = []
    executor: str = PROCESS
    timeout_s: Seconds | None = None
    grace_s: Annotated[float, Meta(ge=0, le=86400)] = GRACE_S
    queue_timeout_s: Seconds | None = None
    priority: Priority = 0
    tags: dict[str, str] = {}
    lease_policy: Literal["stop", "keep"] = "stop"
    detach_timeout_s: Seconds | None = None
    not_before: Timestamp | None = None
    deadline: Timestamp | None = None
    retry: Retry | None = None
    success_exit_codes: Codes | None = None
    policy: Name | None = None

    @property
    def awaits_verdict(self) -> bool:
        """Whether an end is not the job's before the scheduler has said so: another try may follow."""
        return self.retry is not None or self.policy is not None

    needs: list[str | Need] = []
    on_unmet: OnUnmet | None = None
    concurrency: Concurrency | None = None
    array: int | str | None = None
    matrix: dict[str, list[Any]] | None = None
    include: list[dict[str, Any]] = []
    exclude: list[dict[str, Any]] = []
    max_parallel: Annotated[int, Meta(ge=1)] | None = None
    fail_fast: bool = False

    @property
    def has_parts(self) -> bool:
        """Whether it is an array or a matrix: one job with many parts."""
        return self.array is not None or self.matrix is not None or bool(self.include)

    @property
    def keep_s(self) -> float:
        """How long after the end of its lease the job stays its worker's own; 0 where the worker stops it."""
        if self.lease_policy == "stop":
            return 0.0
        return DETACH_TIMEOUT_S if self.detach_timeout_s is None else self.detach_timeout_s


class SubmittedInputFile(InputFile, frozen=True, forbid_unknown_fields=True):
    """The same, strict."""

    artifact: SubmittedArtifactOf | None = None
    result: SubmittedResultOf | None = None


class SubmittedSpec(Spec, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict: an unknown field is refused."""

    requires: Mapping[str, SubmittedWanted] = {}
    prefers: Mapping[str, SubmittedWanted] = {}
    inputs: list[SubmittedInputFile] = []  # type: ignore[assignment]  # a list is never written to
    retry: SubmittedRetry | None = None
    needs: list[str | SubmittedNeed] = []  # type: ignore[assignment]  # likewise
    concurrency: SubmittedConcurrency | None = None


class Input(Answer, frozen=True):
    """An input as an offer names it; the worker fetches the bytes and checks them."""

    path: str
    size_bytes: Size
    sha256: Sha256


def check_spec(spec: Spec, at: str = "") -> None:
    """Raise InvalidRequest naming each field that could not work; `at` leads every name (`jobs[3].`)."""
    errors = [FieldError(at + field, message) for field, message in _wrong(spec)]
    if errors:
        raise InvalidRequest("; ".join(f"{e.field}: {e.message}" for e in errors), errors)


def _wrong(spec: Spec) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    if (spec.command is None) == (spec.script is None):
        wrong.append(("command", "give exactly one of `command` and `script`"))
    elif spec.command is not None and (not spec.command or not spec.command[0]):
        wrong.append(("command", 'is empty; give at least a program, such as ["true"]'))
    elif spec.script is not None and not spec.script.strip():
        wrong.append(("script", "is empty; give at least one line"))
    if spec.executor != PROCESS:
        wrong.append(("executor", f"`{spec.executor}` is not known here; use `{PROCESS}`"))
    if spec.detach_timeout_s is not None and spec.lease_policy != "keep":
        wrong.append(("detach_timeout_s", "is for `lease_policy: keep` alone; with `stop` nothing is ever detached"))
    wrong += wrong_moments(spec.not_before, spec.deadline)
    names = [key for key in spec.env if not key or "=" in key]
    wrong += [(f"env.{key}", "a variable's name has no `=` and is not empty") for key in names]
    wrong += [(f"env.{key}", "is set by Rota itself; take another name") for key in spec.env if key in SET_BY_ROTA]
    wrong += [("tags", "holds an empty key")] if "" in spec.tags else []
    texts = {"command": spec.command or [], "script": [spec.script or ""], "env": [*spec.env, *spec.env.values()]}
    texts |= {"artifacts": spec.artifacts, "tags": [*spec.tags, *spec.tags.values()], "name": [spec.name or ""]}
    texts |= {"concurrency.group": [spec.concurrency.group if spec.concurrency else ""]}
    wrong += [(field, "contains NUL, or is no valid text") for field, of in texts.items() if not all(map(_is_text, of))]
    wrong += [*wrong_wants(spec.requires, "requires"), *wrong_wants(spec.prefers, "prefers")]
    wrong += wrong_resources(spec.resources, "resources", is_asked=True)
    if len(spec.artifacts) > ARTIFACTS_MAX:
        return [*wrong, ("artifacts", f"has at most {ARTIFACTS_MAX} globs; `**` matches across folders")]
    for index, pattern in enumerate(spec.artifacts):
        if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
            wrong.append((f"artifacts[{index}]", "is relative to the job's folder, without `..`, such as `out/**`"))
    retry_wrong = wrong_retry(spec.retry, spec.success_exit_codes)
    return [*wrong, *retry_wrong, *_wrong_followers(spec), *_wrong_inputs(spec.inputs)]


def _wrong_followers(spec: Spec) -> list[tuple[str, str]]:
    """Of its needs, and of the parts that it is to have."""
    has_references = any(file.reference is not None for file in spec.inputs)
    wrong = wrong_needs(spec.needs, spec.on_unmet, has_references=has_references)
    if not spec.has_parts:
        only_parts = {"max_parallel": spec.max_parallel is not None, "fail_fast": spec.fail_fast}
        wrong += [(field, "is for an `array` or a `matrix` alone") for field, given in only_parts.items() if given]
    return [*wrong, *wrong_parts(spec.array, spec.matrix, spec.include, spec.exclude, spec.env)]


def _wrong_inputs(inputs: list[InputFile]) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    seen: set[str] = set()
    for index, file in enumerate(inputs):
        field = f"inputs[{index}]"
        try:
            check_path(file.path, f"{field}.path")
            given = [kind for kind in ("content", "artifact", "result") if getattr(file, kind) is not None]
            if not given:
                wrong.append((f"{field}.content", "is missing; send the file as base64"))
            elif len(given) > 1:
                wrong.append((f"{field}.{given[1]}", f"is given beside `{given[0]}`; a file comes from one of them"))
            if file.content is not None:
                from_base64(file.content, f"{field}.content")
            if file.reference is not None:
                wrong += wrong_reference(file.reference, f"{field}.{given[-1]}")
            if file.artifact is not None:
                check_path(file.artifact.path, f"{field}.artifact.path")
        except InvalidRequest as problem:
            wrong += [(e.field, e.message) for e in problem.extra["errors"]]
    folders = {file.path.rsplit("/", depth)[0] for file in inputs for depth in range(1, file.path.count("/") + 1)}
    for index, file in enumerate(inputs):
        if file.path in seen or file.path in folders:
            wrong.append((f"inputs[{index}].path", "is given twice, or is the folder of another input"))
        seen.add(file.path)
    return wrong


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
