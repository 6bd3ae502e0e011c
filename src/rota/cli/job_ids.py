"""Which job is meant: a whole id, any unique prefix, `last`, or a pasted address."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import platformdirs

from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.terminal import printable
from rota.client import AsyncClient, Client
from rota.protocol.ids import JobId

WHOLE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PREFIX = re.compile(r"[0-9a-f][0-9a-f-]*")
SEARCHED_MAX = 10_000
"""How many jobs, newest first, a prefix is looked up among."""
SHOWN_MAX = 5
LAST = "last"


def find(client: Client, text: str) -> JobId:
    """The job's id. Raises Failure where none, or more than one, is meant."""
    return plain(text) or remembered_as(client.endpoint.server, text) or matching(text, newest(client, text))


async def find_async(client: AsyncClient, text: str) -> JobId:
    """The same, awaited."""
    found = plain(text) or remembered_as(client.endpoint.server, text)
    return found or matching(text, await newest_async(client, text))


def plain(text: str) -> JobId | None:
    """The id that the text is, or that a pasted address holds; None where the server must be asked."""
    whole = WHOLE.findall(text.lower())
    if whole and (text.lower() == whole[-1] or "/" in text):
        return JobId(whole[-1])
    if text == LAST or PREFIX.fullmatch(text.lower()):
        return None
    if "/" in text or not text.isprintable() or not text.strip("."):
        raise Failure(f"`{printable(text)}` names no job.", "Give an id, the beginning of one, or `last`.", Code.USAGE)
    return JobId(text)  # ids are opaque: what looks like none of ours may be another server's


def newest(client: Client, text: str) -> list[JobId]:
    """Ids to look among, newest first."""
    if text == LAST:  # an array, and not one of its parts
        return [job.id for job in client.jobs(1, parts="false")]
    return [job.id for job in client.jobs(SEARCHED_MAX)]


async def newest_async(client: AsyncClient, text: str) -> list[JobId]:
    """The same, awaited."""
    newest_one = client.jobs(1, parts="false")
    jobs: AsyncIterator[object] = newest_one if text == LAST else client.jobs(SEARCHED_MAX)
    return [job.id async for job in jobs]  # type: ignore[attr-defined]


def matching(text: str, ids: list[JobId]) -> JobId:
    """The only one of `ids` that the text begins; the first of them for `last`."""
    if text == LAST:
        if not ids:
            raise Failure("There is no job yet.", "Submit one: rota run -- echo hello", Code.NOT_FOUND)
        return ids[0]
    found = [job_id for job_id in ids if job_id.startswith(text.lower())]
    if not found:
        raise Failure(f"No job's id begins with `{text}`.", "`rota list` shows them.", Code.NOT_FOUND)
    if len(found) > 1:
        some = ", ".join(found[:SHOWN_MAX]) + (", …" if len(found) > SHOWN_MAX else "")
        raise Failure(f"{len(found)} jobs' ids begin with `{text}`: {some}", "Give more of it.", Code.USAGE)
    return found[0]


def remember(server: str, job_id: JobId) -> None:
    """From now on `last` means this job, for this user and this server."""
    path = memory()
    with suppress(OSError):  # a home that cannot be written to: `last` is then the server's newest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**recall(), server: job_id}), "utf-8")


def remembered_as(server: str, text: str) -> JobId | None:
    """The job that was submitted last from here, where the text asks for it and there was one."""
    found = recall().get(server) if text == LAST else None
    return JobId(found) if found else None


def recall() -> dict[str, str]:
    """Server → the job submitted last."""
    try:
        stored = json.loads(memory().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in stored.items()} if isinstance(stored, dict) else {}


def memory() -> Path:
    """The file that it is kept in."""
    return Path(platformdirs.user_state_path("rota")) / "last-jobs.json"
