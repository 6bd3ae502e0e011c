"""The SDK without `await`: the same methods, run on an event loop in a thread of its own.

Nothing is decided here. tests/client compares both faces, method by method.
"""

from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, TypeVar, Unpack

from rota.client.background import Background
from rota.client.blocking_events import Events
from rota.client.blocking_places import Places
from rota.client.blocking_schedules import Schedules
from rota.client.client import OUTAGE_S, PATIENCE_S, AsyncClient, FlowFormat
from rota.client.follow import End, LogStream
from rota.client.handle import AsyncJob, Snapshot
from rota.client.jobs import Filters, SpecFields
from rota.protocol import job as protocol
from rota.protocol.flow import Flow
from rota.protocol.job_finished import Result
from rota.protocol.why import Why
from rota.world import World

T = TypeVar("T")


class Follow:
    """Iterates over a log's bytes as they come. A Ctrl-C inside loses nothing: iterating again goes on there."""

    def __init__(self, background: Background, stream: LogStream) -> None:
        self._background, self._stream = background, stream
        self._next: Future[bytes | None] | None = None

    def __iter__(self) -> "Follow":
        return self

    def __next__(self) -> bytes:
        if self._next is None:
            self._next = self._background.start(next_piece(self._stream))
        piece = self._next.result()
        self._next = None
        if piece is None:
            raise StopIteration
        return piece

    @property
    def attempt(self) -> int | None:
        """The try whose bytes come now."""
        return self._stream.attempt

    @property
    def end(self) -> End | None:
        """How the job ended; None before."""
        return self._stream.end

    @property
    def breaks(self) -> int:
        """How often the connection was lost and resumed."""
        return self._stream.breaks

    def close(self) -> None:
        """Stop listening; the job goes on."""
        if self._next is None:
            self._background.run(self._stream.aclose())
        else:
            self._next.cancel()


async def next_piece(stream: LogStream) -> bytes | None:
    """The next bytes; None at the end (a StopAsyncIteration does not cross threads well)."""
    return await anext(stream, None)


async def anext_or_none(jobs: AsyncGenerator[AsyncJob]) -> AsyncJob | None:
    """The next job of a list; None at the end."""
    return await anext(jobs, None)


class Client(Places):
    """A Rota server, asked with a token: AsyncClient's blocking face, which documents every method.

    with Client() as rota:
        print(rota.submit(command=["uname", "-a"]).wait().log().decode())
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        profile: str | None = None,
        insecure: bool = False,
        patience_s: float = PATIENCE_S,
        outage_s: float = OUTAGE_S,
        world: World | None = None,
    ) -> None:
        self._client = AsyncClient(
            server,
            token,
            profile=profile,
            insecure=insecure,
            patience_s=patience_s,
            outage_s=outage_s,
            world=world,
        )
        self.endpoint = self._client.endpoint
        self._background = Background()
        self.schedules = Schedules(self._client.schedules, self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._background.run(self._client.close())
        self._background.stop()

    def _run(self, deed: Coroutine[Any, Any, T]) -> T:
        return self._background.run(deed)

    def _held(self, job: AsyncJob) -> "Job":
        return Job(self, job.data)

    def submit(self, **spec: Unpack[SpecFields]) -> "Job":
        return self._held(self._run(self._client.submit(**spec)))

    def submit_many(self, specs: Sequence[Mapping[str, Any]]) -> "list[Job]":
        return [self._held(job) for job in self._run(self._client.submit_many(specs))]

    def job(self, job_id: str) -> "Job":
        return self._held(self._run(self._client.job(job_id)))

    def jobs(self, limit: int | None = None, **filters: Unpack[Filters]) -> "Iterator[Job]":
        listed = self._client.jobs(limit, **filters)
        while (job := self._run(anext_or_none(listed))) is not None:
            yield self._held(job)

    def wait(self, job_id: str, timeout_s: float | None = None) -> "Job":
        return self._held(self._run(self._client.wait(job_id, timeout_s)))

    def result(self, job_id: str) -> Result | None:
        return self._run(self._client.result(job_id))

    def cancel(self, job_id: str) -> "Job":
        return self._held(self._run(self._client.cancel(job_id)))

    def retry(self, job_id: str, only: Literal["failed"] | None = None) -> "Job":
        return self._held(self._run(self._client.retry(job_id, only)))

    def log(self, job_id: str, attempt: int | None = None) -> bytes:
        return self._run(self._client.log(job_id, attempt))

    def save_log(self, job_id: str, to: BinaryIO, attempt: int | None = None) -> None:
        self._run(self._client.save_log(job_id, to, attempt))

    def follow(self, job_id: str, from_attempt: int | None = None) -> Follow:
        return Follow(self._background, self._client.follow(job_id, from_attempt))

    def events(
        self,
        *,
        types: Sequence[str] = (),
        environment: str | None = None,
        job_id: str | None = None,
        after: str = "now",
    ) -> Events:
        stream = self._client.events(types=types, environment=environment, job_id=job_id, after=after)
        return Events(self._background, self._run(stream.begin()))

    def artifacts(self, job_id: str) -> list[protocol.Artifact]:
        return self._run(self._client.artifacts(job_id))

    def download(self, job_id: str, path: str, to: str | Path = ".") -> Path:
        return self._run(self._client.download(job_id, path, to))

    def download_all(self, job_id: str, to: str | Path) -> list[Path]:
        return self._run(self._client.download_all(job_id, to))

    def flow(self, job_id: str) -> Flow:
        return self._run(self._client.flow(job_id))

    def why(self, job_id: str) -> Why:
        return self._run(self._client.why(job_id))

    def flow_text(self, job_id: str, form: FlowFormat) -> str:
        return self._run(self._client.flow_text(job_id, form))


class Job(Snapshot):
    """A job of a Client: AsyncJob's blocking face."""

    def __init__(self, client: Client, data: protocol.Job) -> None:
        super().__init__(data)
        self._client = client

    def refresh(self) -> "Job":
        self.data = self._client.job(self.id).data
        return self

    def wait(self, timeout_s: float | None = None) -> "Job":
        self.data = self._client.wait(self.id, timeout_s).data
        return self

    def cancel(self) -> "Job":
        self.data = self._client.cancel(self.id).data
        return self

    def retry(self, only: Literal["failed"] | None = None) -> "Job":
        self.data = self._client.retry(self.id, only).data
        return self

    def log(self, attempt: int | None = None) -> bytes:
        return self._client.log(self.id, attempt)

    def follow(self, from_attempt: int | None = None) -> Follow:
        return self._client.follow(self.id, from_attempt)

    def artifacts(self) -> list[protocol.Artifact]:
        return self._client.artifacts(self.id)

    def download(self, path: str, to: str | Path = ".") -> Path:
        return self._client.download(self.id, path, to)

    def download_all(self, to: str | Path) -> list[Path]:
        return self._client.download_all(self.id, to)

    def flow(self) -> Flow:
        return self._client.flow(self.id)
