"""A worker brought into a server that was just started here."""

import asyncio
from collections.abc import Mapping

from rota.cli.children import READY_S, Household, died
from rota.cli.failure import Failure
from rota.client import AsyncClient
from rota.protocol.ids import WorkerId
from rota.protocol.status import WorkerStatus
from rota.protocol.worker import Worker

ENVIRONMENT = "default"
TOKEN_LIFE_S = 600.0
LOOK_AGAIN_S = 0.05
HERE = frozenset({WorkerStatus.READY_FOR_WORK, WorkerStatus.WORKING})


async def bring_in_worker(house: Household) -> Worker:
    """Start the household's worker with a token for one use; come back when the registry has heard of it.

    The token is revoked then: a worker that was here before needed none. Raises Failure where it does not come.
    """
    async with AsyncClient(house.address, house.token) as client:
        note = f"for {house.worker_name}, at its start"
        token = await client.create_credential(ENVIRONMENT, "enrolment", expires_in_s=TOKEN_LIFE_S, uses=1, note=note)
        before = {worker.worker_id: worker.last_seen_at for worker in await client.workers()}
        await house.start_worker(token.token)
        worker = await arrival(house, client, before)
        if token.credential_id in {one.credential_id for one in await client.credentials(ENVIRONMENT)}:
            await client.revoke(ENVIRONMENT, token.credential_id)
    return worker


async def arrival(house: Household, client: AsyncClient, before: Mapping[WorkerId, str | None]) -> Worker:
    """The household's worker, once it has said something since `before`."""
    try:
        async with asyncio.timeout(READY_S):
            while True:
                for worker in await client.workers():
                    is_news = worker.last_seen_at != before.get(worker.worker_id)
                    if worker.name == house.worker_name and is_news and worker.status in HERE:
                        return worker
                if house.worker is not None and not house.worker.runs:
                    raise died(house.worker)
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        words = house.worker.last_words() if house.worker is not None else ""
        raise Failure(f"The worker did not come within {READY_S:g} s.", f"It said: {words}") from None
