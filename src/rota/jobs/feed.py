"""The event log as it grows, for any number of followers: it is read once, and each is woken by what concerns it.

Who keeps up is served from memory, who does not from the database, page by page as fast as it reads; so a slow follower
costs a page. Nothing is skipped in silence: where the log has moved on without a follower, it is told so.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from rota.jobs.follow import Changes
from rota.protocol.environment import Caller
from rota.protocol.ids import JobId
from rota.protocol.participants import Environments
from rota.protocol.problems import Forbidden, Gone, InvalidRequest, NotFound
from rota.storage.stores.events import EventStore, Logged, Wanted
from rota.storage.stores.jobs import JobStore
from rota.world import World

PING_EVERY_S = 15.0
PAGE = 200
KEPT_MAX = 4096
KEPT_SIZE_BYTES_MAX = 8 * 1024 * 1024
TOGETHER_S = 0.005
"""Under load what comes within so long is read at once."""
_ALL = JobId("")


class Feed:
    """See the module."""

    def __init__(self, store: EventStore, jobs: JobStore, environments: Environments, world: World) -> None:
        self._store, self._jobs, self._environments, self._world = store, jobs, environments, world
        self._changes = Changes()
        self._committed = asyncio.Event()
        self._followers = 0
        self._kept: deque[Logged] = deque()
        self._kept_size_bytes = 0
        self._seq = 0

    def close(self) -> None:
        """About to stop: every follower goes, and asks again of who comes after."""
        self._changes.close()

    def wake(self) -> None:
        """Something was committed."""
        if self._followers:
            self._committed.set()

    async def run(self) -> None:
        """Read what comes, until cancelled."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            try:
                while self._followers and await self._read_on():
                    pass
            except Gone:  # far behind; the followers meet it themselves
                self._forget(await self._store.newest())
            await self._world.sleep(TOGETHER_S)

    async def check(self, caller: Caller, wanted: Wanted) -> Wanted:
        """What this caller may see of it. Raises Forbidden, NotFound, InvalidRequest."""
        own = caller.environment
        if own is not None and wanted.environment not in {None, own}:
            raise Forbidden(f"This credential is for the environment `{own}` alone.")
        if wanted.environment is not None:
            try:
                await self._environments.environment(wanted.environment)
            except NotFound:
                raise InvalidRequest.of("environment", f"there is no environment `{wanted.environment}`") from None
        if wanted.job_id is not None:
            found = await self._jobs.job(wanted.job_id)
            if found is None or own not in {None, found.environment}:
                raise NotFound("There is no such job.")
        return Wanted(wanted.types, own if own is not None else wanted.environment, wanted.job_id)

    async def position(self, given: str | None, field: str) -> int:
        """Behind which event to begin: `now`, `oldest` or an event's id. Raises InvalidRequest, Gone."""
        if given is None or given == "now":
            return await self._store.newest()
        oldest = await self._store.oldest()
        if given == "oldest":
            return oldest - 1
        after = await self._store.seq_of(given, field)
        if after < oldest - 1:
            await self._store.page(after, Wanted(), 1)  # raises it
        return after

    async def page(self, after: int, wanted: Wanted, limit: int) -> tuple[list[Logged], str | None]:
        """The next events that are kept, and where to go on; None: there are no more now. Raises Gone."""
        events: list[Logged] = []
        newest = await self._store.newest()
        while after < newest and len(events) < limit:
            page = await self._store.page(after, wanted, limit - len(events))
            events += page.events
            after = page.upto
        return events, None if after >= newest else self._store.id_of(after)

    async def last(self, wanted: Wanted, count: int) -> list[Logged]:
        """The newest so many, oldest first."""
        return await self._store.last(wanted, count)

    async def follow(
        self, after: int, wanted: Wanted, is_welcome: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[Logged | Gone | str]:
        """What comes behind `after`; Gone comes last.

        A text is the id of the place in the log up to which there is no more: told at once, and whenever there was
        nothing else to tell for PING_EVERY_S. Ends when the service stops, or `is_welcome`, asked as often, says no.
        """
        self._join()
        try:
            with self._changes.of(wanted.job_id or _ALL) as changed:
                yield self._store.id_of(after)
                while not self._changes.is_closed:
                    changed.clear()
                    while after < self._seq:
                        try:
                            events, after = await self._next(after, wanted)
                        except Gone as gone:
                            yield gone
                            return
                        for event in events:
                            yield event
                    try:
                        await asyncio.wait_for(changed.wait(), PING_EVERY_S)
                    except TimeoutError:
                        if not await is_welcome():
                            return
                        # Whoever waits is told of what concerns it: up to here nothing did.
                        after = after if changed.is_set() else max(after, self._seq)
                        yield self._store.id_of(after)
        finally:
            self._followers -= 1
            if not self._followers:
                self._forget(0)

    def _join(self) -> None:
        self._followers += 1
        if self._followers == 1:  # nobody read meanwhile
            self._committed.set()

    async def _read_on(self) -> bool:
        """Read what is new, wake whom it concerns; returns whether there is more."""
        if not self._seq:
            self._forget(await self._store.newest())
            return False
        page = await self._store.page(self._seq, Wanted(), PAGE)
        for event in page.events:
            self._kept.append(event)
            self._kept_size_bytes += len(event.body)
        while len(self._kept) > KEPT_MAX or (self._kept_size_bytes > KEPT_SIZE_BYTES_MAX and self._kept):
            self._kept_size_bytes -= len(self._kept.popleft().body)
        self._seq = page.upto
        for job in {event.subject for event in page.events}:
            self._changes.tell(JobId(job))
        if page.events:
            self._changes.tell(_ALL)
        return page.upto < page.newest

    async def _next(self, after: int, wanted: Wanted) -> tuple[list[Logged], int]:
        """Some of what is behind `after`, and up to which number that is all. Raises Gone."""
        if self._kept and self._kept[0].seq <= after + 1:
            first = after + 1 - self._kept[0].seq
            fresh = [self._kept[index] for index in range(first, min(first + PAGE, len(self._kept)))]
            return [event for event in fresh if wanted.holds(event)], fresh[-1].seq
        page = await self._store.page(after, wanted, PAGE)
        return page.events, page.upto

    def _forget(self, seq: int) -> None:
        self._kept.clear()
        self._kept_size_bytes, self._seq = 0, seq
        if seq:
            self._tell_all()

    def _tell_all(self) -> None:
        for job in self._changes.followed():
            self._changes.tell(job)
