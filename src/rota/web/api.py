"""The API as the pages use it: in this process, with the visitor's token; no page can do what its visitor may not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import httpx2
import msgspec
from starlette.types import ASGIApp

from rota.protocol.problems import Internal, Problem, raised_again
from rota.protocol.wire import encode, read_answer

T = TypeVar("T")
Query = list[tuple[str, str | int | float | bool | None]]

_HERE = "http://rota"


class Api:
    """One visitor's view of it. `token` None: nobody's."""

    def __init__(self, application: ASGIApp, token: str | None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(app=application, raise_app_exceptions=False)
        self._client = httpx2.AsyncClient(transport=transport, base_url=_HERE, headers=headers)

    async def get(self, path: str, kind: type[T], query: Query | None = None) -> T:
        """The answer as a message. Raises the problem that it is."""
        return read_answer((await self._ask("GET", path, query=query)).content, kind)

    async def post(self, path: str, kind: type[T], body: object = None) -> T:
        """Likewise."""
        return read_answer((await self._ask("POST", path, body)).content, kind)

    async def delete(self, path: str) -> None:
        """Likewise; the answer is empty."""
        await self._ask("DELETE", path)

    async def part(self, path: str, last_bytes: int) -> tuple[bytes, int]:
        """The last bytes of what is there, and how many there are in all."""
        response = await self._ask("GET", path, headers={"Range": f"bytes=-{last_bytes}"})
        span = response.headers.get("content-range", "")
        return response.content, int(span.rpartition("/")[2]) if span else len(response.content)

    async def head_of(self, path: str, first_bytes: int) -> bytes:
        """What it begins with, at most so many bytes."""
        return (await self._ask("GET", path, headers={"Range": f"bytes=0-{first_bytes - 1}"})).content

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        content = None if body is None else encode(body)
        known = {"Content-Type": "application/json", **(headers or {})}
        response = await self._client.request(method, path, content=content, params=query, headers=known)
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return httpx2.Response(HTTPStatus.OK)  # nothing is there yet
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise _problem(response)
        return response


def _problem(response: httpx2.Response) -> Problem:
    try:
        return raised_again(msgspec.json.decode(response.content, type=dict[str, Any]))
    except msgspec.DecodeError:
        return Internal()
