"""A job watched to its end: its log on stdout, one closing line on stderr, Ctrl-C answered."""

import asyncio
import signal
import sys
from types import TracebackType
from typing import Self

import click

from rota.cli.exit_codes import Code, of_job
from rota.cli.job_words import closing_line
from rota.cli.output import Output, for_a_reader, is_terminal
from rota.cli.terminal import Cleaner
from rota.client import AsyncClient, AsyncJob, LogStream
from rota.protocol.problems import Conflict

QUESTION = "  Ctrl-C: [c]ancel the job, [l]eave it running, or [g]o on watching?"


class Interrupts:
    """Ctrl-C as an event, while the block lasts."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.event.set)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


class LogWriter:
    """Writes a log: byte for byte into a pipe or a file; without what a terminal would obey, on a terminal."""

    def __init__(self) -> None:
        self.cleaner = Cleaner() if is_terminal(sys.stdout) else None

    def write(self, piece: bytes) -> None:
        """Show it now."""
        with for_a_reader():
            if self.cleaner is None:
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
            else:
                sys.stdout.write(self.cleaner.clean(piece))
                sys.stdout.flush()

    def finish(self) -> None:
        """Nothing follows."""
        if self.cleaner is not None:
            sys.stdout.write(self.cleaner.finish())
            sys.stdout.flush()


class Watch:
    """`on_interrupt`: what Ctrl-C does: `ask`, `leave` or `cancel`."""

    def __init__(self, client: AsyncClient, out: Output, on_interrupt: str) -> None:
        self.client, self.out, self.on_interrupt = client, out, on_interrupt

    async def to_its_end(self, job: AsyncJob) -> int:
        """Show the log until the job has ended or is left; returns the exit code."""
        with Interrupts() as interrupts:
            stream = job.follow()
            try:
                if not await self.show(job, stream, interrupts):
                    self.out.say(
                        f"  left running      its log: rota logs -f {job.id}      stop it: rota cancel {job.id}"
                    )
                    return Code.INTERRUPTED
            finally:
                await stream.aclose()
            await job.wait()
        if self.out.as_json:
            self.out.json(job.data)
        self.out.say(closing_line(job.data))
        return of_job(job.data)

    async def show(self, job: AsyncJob, stream: LogStream, interrupts: Interrupts) -> bool:
        """Write the log out; False where a person wanted to see no more of it."""
        writer, attempt = LogWriter(), stream.attempt
        coming = asyncio.ensure_future(anext(stream, None))
        stop = asyncio.ensure_future(interrupts.event.wait())
        try:
            while True:
                await asyncio.wait({coming, stop}, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    interrupts.event.clear()
                    stop = asyncio.ensure_future(interrupts.event.wait())
                    if not await self.answer(job):
                        return False
                    continue
                piece = coming.result()
                if stream.attempt != attempt and (stream.attempt or 1) > 1:
                    self.out.say(f"  attempt {stream.attempt} begins")
                attempt = stream.attempt
                if piece is None:
                    return True
                if not self.out.as_json:
                    writer.write(piece)
                coming = asyncio.ensure_future(anext(stream, None))
        finally:
            writer.finish()
            for task in (coming, stop):
                task.cancel()
            await asyncio.gather(coming, stop, return_exceptions=True)

    async def answer(self, job: AsyncJob) -> bool:
        """Ctrl-C: do what is wanted and say it; False where the job is to be left."""
        choice = self.on_interrupt
        if choice == "ask":
            choice = ask() if is_terminal(sys.stdin) and is_terminal(sys.stderr) else "leave"
        if choice == "cancel":
            self.on_interrupt = "leave"  # a second Ctrl-C wants to go
            try:
                await job.cancel()
                self.out.say(f"  cancelling {job.id}      Ctrl-C again: do not wait for it")
            except Conflict:
                self.out.say(f"  {job.id} has ended already")
        return choice != "leave"


def ask() -> str:
    """What a person at the terminal wants: `cancel`, `leave` or `go`. A second Ctrl-C leaves."""
    loop = asyncio.get_running_loop()
    loop.remove_signal_handler(signal.SIGINT)
    try:
        letter = click.prompt(
            QUESTION, type=click.Choice(["c", "l", "g"]), default="l", show_choices=False, err=True, prompt_suffix=" "
        )
    except click.Abort:
        letter = "l"
    return {"c": "cancel", "l": "leave", "g": "go"}[letter]
