"""Two logs followed at the same time, as they are written."""

import asyncio

from rota import AsyncClient

STEPS = "for step in 1 2 3; do echo step $step; sleep 0.2; done"


async def show(client: AsyncClient, name: str) -> None:
    """Run a job and print its log, each piece as soon as it comes."""
    job = await client.submit(script=STEPS, name=name)
    async for piece in job.follow():
        for line in piece.decode(errors="replace").splitlines():
            print(f"{name}: {line}")
    await job.wait()
    print(f"{name}: {job.state}, exit code {job.exit_code}")


async def main() -> None:
    """Both at once."""
    async with AsyncClient() as client:
        await asyncio.gather(show(client, "left"), show(client, "right"))


asyncio.run(main())
