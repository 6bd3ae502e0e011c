"""Requests to a server: repeated where that is safe, problems raised again, answers read as the protocol's structs."""

import io
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

import rota
from rota.client.profile import Endpoint, NoServer, is_loopback
from rota.protocol import wire
from rota.protocol.problems import InvalidRequest, Problem, RateLimited, Unavailable, raised_again
from rota.world import SystemWorld, World

T = TypeVar("T")

CONNECT_S = 5.0
READ_S = 60.0
PROBLEM_SIZE_BYTES_MAX = 1024 * 1024
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
BUSY = frozenset({429, 502, 503, 504})
"""What a proxy or a server says when it may well answer in a moment."""
FAILURE = 400
"""Status codes from here on are no answer to what was asked."""


class NotReached(Exception):
    """The server did not answer in time, or there is none at that address. The text says which, and what to do."""


class NotUnderstood(Exception):
    """What answered did not answer as Rota does: another service has that address, or a proxy stands between."""


class Broken(Exception):
    """One try failed; `sent` says whether the server may have seen the request, `wait_s` what it asked for."""

    def __init__(self, cause: Exception, *, sent: bool, wait_s: float | None = None) -> None:
        super().__init__(str(cause))
        self.cause, self.sent, self.wait_s = cause, sent, wait_s


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request. `repeatable` says that sending it twice does what sending it once does.

    `patience_s` is how long it is tried again; None: as long as the transport says.
    """

    method: str
    path: str
    body: object | None = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = True
    read_s: float = READ_S
    patience_s: float | None = None


class Patience:
    """How long to go on trying: `patience_s` from the first failure, backing off with full jitter."""

    def __init__(self, world: World, patience_s: float) -> None:
        self.world, self.patience_s = world, patience_s
        self.begin()

    def begin(self) -> None:
        """Something worked: the next failure is a first one."""
        self.tries = 0
        self.deadline: float | None = None

    async def wait(self, least_s: float | None) -> bool:
        """Wait before the next try, at least `least_s` seconds; False, at once, where the time does not allow it."""
        ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**self.tries)
        pause_s = (least_s or 0.0) + ceiling_s * self.world.random()
        self.tries += 1
        now = self.world.monotonic()
        self.deadline = now + self.patience_s if self.deadline is None else self.deadline
        if now + pause_s > self.deadline:
            return False
        await self.world.sleep(pause_s)
        return True


class Outage:
    """Whether a server that has answered before is away. `tell` is told why when it begins, None when it ends."""

    def __init__(self) -> None:
        self.tell: Callable[[str | None], None] = lambda _: None
        self.is_on = False
        self._has_answered = False

    def answered(self) -> None:
        """The server is there."""
        self._has_answered = True
        if self.is_on:
            self.is_on = False
            self.tell(None)

    def failed(self, broken: Broken) -> None:
        """A try got no answer, or that of a server that stops or starts."""
        if self._has_answered and not self.is_on and not isinstance(broken.cause, RateLimited):
            self.is_on = True
            self.tell(reason(broken.cause))


class Transport:
    """One server, its token and a pool of connections. `patience_s` bounds the repeats of one call.

    Raises NoServer where the server's name cannot be one.
    """

    def __init__(self, endpoint: Endpoint, patience_s: float, world: World | None = None) -> None:
        self.endpoint, self.patience_s = endpoint, patience_s
        self.world = world or SystemWorld()
        self.outage = Outage()
        headers = {"User-Agent": f"rota/{rota.__version__}", "Rota-Protocol": "1"}
        if endpoint.token:
            headers["Authorization"] = f"Bearer {endpoint.token}"
        try:
            self.http = httpx2.AsyncClient(
                base_url=endpoint.server,
                headers=headers,
                verify=trust(endpoint.server),
                follow_redirects=False,  # a token goes to the server that was named, and nowhere else
                trust_env=not is_loopback(endpoint.server),  # a proxy has no business with this machine's own server
            )
        except httpx2.InvalidURL as error:
            raise NoServer(f"`{endpoint.server}` is not a server's address: {error}. Mend it.") from None

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def ask(self, call: Call, kind: type[T]) -> T:
        """The answer as `kind`. Raises Problem, NotReached, NotUnderstood."""
        body = await self.read(call)
        try:
            return wire.read_answer(body, kind)
        except msgspec.DecodeError as error:
            word = wire.unknown_word(error)
            if word is not None:
                raise NotUnderstood(newer(self.endpoint.server, word)) from None
            raise NotUnderstood(
                f"{self.endpoint.server} does not answer as a Rota server does ({error}). Check the address."
            ) from None

    async def read(self, call: Call) -> bytes:
        """The answer's bytes. Raises Problem, NotReached, NotUnderstood."""
        with io.BytesIO() as body:
            await self.save(call, body)
            return body.getvalue()

    async def save(self, call: Call, body: BinaryIO) -> None:
        """Write the answer's bytes into the empty file `body`, then go back to its start. Raises as `read`."""
        patience = Patience(self.world, self.patience_s if call.patience_s is None else call.patience_s)
        while True:
            body.seek(0)
            body.truncate()
            try:
                async with self.open(call) as response:
                    async for piece in response.aiter_bytes():
                        body.write(piece)
            except Broken as broken:
                may_repeat = call.repeatable or not broken.sent
                if not may_repeat or not await patience.wait(broken.wait_s):
                    raise self.given_up(broken) from None
            except httpx2.TransportError as error:  # the answer broke off on the way
                if not call.repeatable or not await patience.wait(None):
                    raise self.given_up(Broken(error, sent=True)) from None
            else:
                body.seek(0)
                return

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncGenerator[httpx2.Response]:
        """One try: the response, its body not yet read. Raises Broken where another try may help, Problem where not."""
        try:
            response = await self.sent(self.request(call))
        except Broken as broken:
            self.outage.failed(broken)
            raise
        try:
            if response.status_code >= FAILURE or response.is_redirect:
                problem = await self.problem(response)
                if isinstance(problem, Broken):
                    self.outage.failed(problem)
                raise problem
            self.outage.answered()
            yield response
        finally:
            await response.aclose()

    async def sent(self, request: httpx2.Request) -> httpx2.Response:
        """The head of the answer. Raises Broken where there was none."""
        try:
            return await self.http.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Broken(error, sent=False) from None
        except httpx2.TransportError as error:
            raise Broken(error, sent=True) from None

    def request(self, call: Call) -> httpx2.Request:
        """What is sent for it. Raises InvalidRequest where that would be no request: too long, or no valid text."""
        try:
            return self.http.build_request(
                call.method,
                call.path,
                content=None if call.body is None else wire.encode(call.body),
                params=call.params,
                headers={**({} if call.body is None else {"Content-Type": "application/json"}), **(call.headers or {})},
                timeout=httpx2.Timeout(READ_S, connect=CONNECT_S, read=call.read_s),
            )
        except httpx2.InvalidURL as error:
            raise InvalidRequest.of("address", f"cannot be asked for: {error}") from None
        except UnicodeEncodeError:
            raise InvalidRequest.of("body" if call.body is not None else "address", "is no valid text") from None

    async def problem(self, response: httpx2.Response) -> Exception:
        """What to raise for an answer that says no."""
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > PROBLEM_SIZE_BYTES_MAX:
                break
        retry_after = response.headers.get("Retry-After", "")
        wait_s = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        status = response.status_code
        try:
            document = wire.read_answer(body, dict[str, Any])
            problem: Exception = raised_again(document, wait_s)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = self.from_between(status)
        if status not in BUSY:
            return problem
        # 429 and 503 say that nothing was changed; a proxy's 502 and 504 say nothing about it.
        return Broken(problem, sent=not isinstance(problem, RateLimited | Unavailable), wait_s=wait_s)

    def from_between(self, status: int) -> Exception:
        """What an answer means that no Rota server gave: a proxy whose server is away, or something else altogether."""
        server = self.endpoint.server
        if status in BUSY:
            return NotReached(f"The server behind {server} cannot be reached: what stands before it answered {status}.")
        return NotUnderstood(f"{server} answered {status}, not as Rota does. Check the address.")

    def given_up(self, broken: Broken) -> Exception:
        """The last failure, as something to tell a person."""
        if isinstance(broken.cause, Problem | NotReached):
            return broken.cause
        return not_reached(self.endpoint, broken.cause)


def newer(server: str, word: str) -> str:
    """In words: the server says what only a later version understands."""
    return f"{server} says {word}, which rota {rota.__version__} does not know. Upgrade rota here: the server is newer."


def trust(address: str) -> ssl.SSLContext | bool:
    """Whom to believe: the machine's authorities; for http:// nobody, as reading them would cost time for nothing."""
    return True if urlsplit(address).scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def not_reached(endpoint: Endpoint, cause: Exception) -> NotReached:
    """The words for it."""
    advice = (
        "Is it running? `rota dev` starts one here."
        if is_loopback(endpoint.server)
        else "Check the address and the network."
    )
    return NotReached(
        f"The server {endpoint.server} (from {endpoint.server_origin}) cannot be reached: {reason(cause)}. {advice}"
    )


def reason(cause: Exception) -> str:
    """Why, in a few words."""
    return str(cause).rstrip(".") or type(cause).__name__
