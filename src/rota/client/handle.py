"""A job in the hand: what the server last said of it, and what can be done with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rota.client.follow import LogStream
from rota.protocol import job as protocol
from rota.protocol.flow import Flow
from rota.protocol.ids import JobId
from rota.protocol.job_finished import Result
from rota.protocol.states import JobState, Verdict

if TYPE_CHECKING:
    from rota.client.client import AsyncClient


class Snapshot:
    """A job as the server last told it; `data` is all of it, by protocol's names."""

    def __init__(self, data: protocol.Job) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"

    @property
    def id(self) -> JobId:
        """Its name for ever."""
        return self.data.id

    @property
    def state(self) -> JobState:
        """Where it is on its way."""
        return self.data.state

    @property
    def ended(self) -> bool:
        """Whether only a person moves it again."""
        return self.data.is_over

    @property
    def verdict(self) -> Verdict | None:
        """The scheduler's word on it; None while undecided."""
        return self.data.verdict

    @property
    def result(self) -> Result | None:
        """How it ended; None while it has not, or where it never ran."""
        return self.data.result

    @property
    def exit_code(self) -> int | None:
        """Its command's exit code, where it had one."""
        return self.data.result.exit_code if self.data.result else None

    @property
    def value(self) -> Any:  # noqa: ANN401  (the JSON that the job wrote to $ROTA_RESULT)
        """The JSON that it wrote to the file `$ROTA_RESULT`."""
        return self.data.result.value if self.data.result else None

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that it was submitted with."""
        return self.data.spec.tags


class AsyncJob(Snapshot):
    """A job of an AsyncClient."""

    def __init__(self, client: "AsyncClient", data: protocol.Job) -> None:
        super().__init__(data)
        self._client = client

    async def refresh(self) -> "AsyncJob":
        """Ask the server how it is now; returns itself."""
        self.data = (await self._client.job(self.id)).data
        return self

    async def wait(self, timeout_s: float | None = None) -> "AsyncJob":
        """Come back when it has ended; returns itself. Raises TimeoutError; the job goes on then."""
        self.data = (await self._client.wait(self.id, timeout_s)).data
        return self

    async def cancel(self) -> "AsyncJob":
        """Stop it; returns itself."""
        self.data = (await self._client.cancel(self.id)).data
        return self

    async def retry(self, only: Literal["failed"] | None = None) -> "AsyncJob":
        """Run it once more, of an array every part or `only` the failed ones; returns itself."""
        self.data = (await self._client.retry(self.id, only)).data
        return self

    async def log(self, attempt: int | None = None) -> bytes:
        """What it has written so far."""
        return await self._client.log(self.id, attempt)

    def follow(self, from_attempt: int | None = None) -> LogStream:
        """What it writes, as it comes, until it is over: the newest try, or all from that number on."""
        return self._client.follow(self.id, from_attempt)

    async def artifacts(self) -> list[protocol.Artifact]:
        """What it brought back."""
        return await self._client.artifacts(self.id)

    async def download(self, path: str, to: str | Path = ".") -> Path:
        """Fetch one artifact into the folder `to`."""
        return await self._client.download(self.id, path, to)

    async def download_all(self, to: str | Path) -> list[Path]:
        """Fetch all artifacts below the folder `to`."""
        return await self._client.download_all(self.id, to)

    async def flow(self) -> Flow:
        """The messages that it really caused."""
        return await self._client.flow(self.id)
