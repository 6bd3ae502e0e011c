"""/jobs/{id}: what ran and where, its log as it comes, its artifacts, and the messages that it really caused."""

import asyncio
import csv
import io
from collections.abc import Awaitable
from itertools import islice
from typing import TypeVar
from urllib.parse import quote

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.flow import Flow
from rota.protocol.ids import AttemptId
from rota.protocol.job import Artifact, ArtifactList, Job
from rota.protocol.problems import NotFound, Problem
from rota.protocol.wire import encode
from rota.protocol.worker import WorkerList
from rota.web.pages import SECURE, Pages, Visit, redirect
from rota.web.sequence import place
from rota.web.session import Form

T = TypeVar("T")

TAIL_SIZE_BYTES = 64 * 1024
"""Of the log in the page itself, for who has no script; a script shows the rest."""
PREVIEW_SIZE_BYTES = 256 * 1024
PREVIEW_ROWS_MAX = 500
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
"""Shown as pictures. No SVG: it can hold scripts."""
_TABLES = {"csv": ",", "tsv": "\t"}
_SANDBOX = "sandbox; default-src 'none'; img-src 'self'"


class JobPage:
    """The pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """What is served."""
        one, pages = "/jobs/{job_id}", self._pages
        return [
            pages.get(one, self.job),
            pages.get(f"{one}/preview/{{path:path}}", self.preview),
            pages.get(f"{one}/picture/{{path:path}}", self.picture),
            pages.post(f"{one}/cancel", self.cancel),
            pages.post(f"{one}/retry", self.retry),
        ]

    async def job(self, visit: Visit) -> Response:
        path = _path(visit)
        job = await visit.api.get(path, Job)
        (log, log_size_bytes), artifacts, flow, fleet = await asyncio.gather(
            _or(visit.api.part(f"{path}/log", TAIL_SIZE_BYTES), (b"", 0)),
            visit.api.get(f"{path}/artifacts", ArtifactList),
            _or(visit.api.get(f"{path}/flow", Flow), None),
            _or(visit.api.get("/api/v1/workers", WorkerList), WorkerList([])),
        )
        return visit.page(
            "job.html", job=job, artifacts=artifacts.artifacts, log=log.decode(errors="replace"),
            log_size_bytes=log_size_bytes, log_begins_at=log_size_bytes - len(log),
            drawing=None if flow is None else place(flow.messages, _failed(job)),
            messages=None if flow is None else flow.messages,
            spec=_indented(job.spec), value=None if job.result is None else _indented(job.result.value),
            workers={worker.worker_id: worker for worker in fleet.workers},
        )  # fmt: skip

    async def cancel(self, visit: Visit, _form: Form) -> Response:
        await visit.api.post(f"{_path(visit)}/cancel", Job)
        return redirect(f"/jobs/{visit.part('job_id')}")

    async def retry(self, visit: Visit, _form: Form) -> Response:
        await visit.api.post(f"{_path(visit)}/retry", Job)
        return redirect(f"/jobs/{visit.part('job_id')}")

    async def preview(self, visit: Visit) -> Response:
        """What an artifact begins with: as text, a table, or a picture. Nothing in it can run."""
        name = visit.part("path")
        artifact = next((one for one in await _artifacts(visit) if one.path == name), None)
        if artifact is None:
            raise NotFound("The job has no such artifact.")
        ending = name.rpartition(".")[2].lower()
        job = await visit.api.get(_path(visit), Job)
        rows: list[list[str]] | None = None
        text: str | None = None
        if ending not in IMAGES:
            content = await visit.api.head_of(f"{_path(visit)}/artifacts/{_quoted(name)}", PREVIEW_SIZE_BYTES)
            text = _text(content, is_whole=len(content) == artifact.size_bytes)
            if text is not None and ending in _TABLES:
                rows = _rows(text, _TABLES[ending])
            elif text is not None and ending == "json" and len(content) == artifact.size_bytes:
                text = _pretty(text)
        return visit.page(
            "preview.html", job=job, artifact=artifact, is_picture=ending in IMAGES, text=text, rows=rows,
            shown_max=PREVIEW_SIZE_BYTES,
        )  # fmt: skip

    async def picture(self, visit: Visit) -> Response:
        """The bytes of a picture, as a picture alone."""
        name = visit.part("path")
        kind = IMAGES.get(name.rpartition(".")[2].lower())
        if kind is None:
            raise NotFound("That is no picture.")
        content = await visit.api.head_of(f"{_path(visit)}/artifacts/{_quoted(name)}", 64 * 1024 * 1024)
        return Response(content, headers=SECURE | {"Content-Security-Policy": _SANDBOX}, media_type=kind)


def _path(visit: Visit) -> str:
    return f"/api/v1/jobs/{_quoted(visit.part('job_id'))}"


def _quoted(text: str) -> str:
    return quote(text, safe="/")


def _failed(job: Job) -> set[AttemptId]:
    """The attempts that ended, and not by exit code 0."""
    ended = [one for one in job.attempts if one.result is not None]
    return {one.attempt_id for one in ended if one.result is not None and one.result.exit_code != 0}


async def _artifacts(visit: Visit) -> list[Artifact]:
    return (await visit.api.get(f"{_path(visit)}/artifacts", ArtifactList)).artifacts


async def _or(asked: Awaitable[T], otherwise: T) -> T:
    """What a page shows when a part of it cannot be had: the rest."""
    try:
        return await asked
    except Problem:
        return otherwise


def _indented(value: object) -> str:
    return "" if value is None else msgspec.json.format(encode(value), indent=2).decode()


def _text(content: bytes, *, is_whole: bool) -> str | None:
    """As text; None where it is none. A character that the cut went through is left out."""
    if b"\0" in content:
        return None
    try:
        return content.decode() if is_whole else content[:-4].decode() + content[-4:].decode(errors="ignore")
    except UnicodeDecodeError:
        return None


def _rows(text: str, delimiter: str) -> list[list[str]] | None:
    try:
        return list(islice(csv.reader(io.StringIO(text), delimiter=delimiter), PREVIEW_ROWS_MAX))
    except csv.Error:
        return None


def _pretty(text: str) -> str:
    """Indented where it is JSON, as it is where it is not."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return text
