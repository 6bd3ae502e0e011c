"""A job watched to its end: its log on stdout, one closing line on stderr, Ctrl-C answered."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

import click

from rota.cli.array_words import parts_of
from rota.cli.exit_codes import Code, of_job
from rota.cli.failure import Failure
from rota.cli.job_words import closing_line, not_executable, uncollected
from rota.cli.output import Output, for_a_reader, is_terminal
from rota.cli.terminal import Cleaner, printable
from rota.client import AsyncClient, AsyncJob, LogStream
from rota.protocol import job as protocol
from rota.protocol.problems import Conflict
from rota.protocol.states import HELD, AttemptState

QUESTION = "  Ctrl-C: [c]ancel the job, [l]eave it running, or [g]o on watching?"
ANSWERS = ("cancel", "leave", "go")
NOT_BEFORE = HELD | {AttemptState.REFUSED}
UNCOLLECTED_MAX = 20
"""How many files that could not be brought back are told one by one."""


class Interrupts:
    """Ctrl-C as an event, while the block lasts."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.pause()

    def listen(self) -> None:
        """Ctrl-C sets the event."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.event.set)

    def pause(self) -> None:
        """Ctrl-C is a KeyboardInterrupt again, as a question at the terminal needs it."""
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

    async def submitted(self, sending: Coroutine[None, None, AsyncJob], interrupts: Interrupts) -> AsyncJob:
        """The job that `sending` makes. Ctrl-C waits for it, so that it can be named; a second one does not.

        Raises Failure after the second.
        """
        submission, stop = asyncio.ensure_future(sending), asyncio.ensure_future(interrupts.event.wait())
        await asyncio.wait({submission, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not submission.done():
            self.out.complain("  Ctrl-C: the job is being submitted      Ctrl-C again: do not wait for its id")
            interrupts.event.clear()
            again = asyncio.ensure_future(interrupts.event.wait())
            await asyncio.wait({submission, again}, return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
            interrupts.event.set()  # the first one is still to be answered
        stop.cancel()
        if not submission.done():
            submission.cancel()
            await asyncio.gather(submission, return_exceptions=True)
            raise Failure(
                "Stopped while the job was being submitted; it may be there.",
                "`rota list` shows it, `rota cancel ID` stops it.",
                Code.INTERRUPTED,
            )
        return submission.result()

    async def to_its_end(self, job: AsyncJob, interrupts: Interrupts) -> int:
        """Show the log until the job has ended or is left; returns the exit code."""
        stream = job.follow(begun(job.data))
        if (parts := parts_of(job.data)) is not None:
            self.out.say(f"  {parts.total} parts      each: rota list --parent {job.id}")
        try:
            if not await self.show(job, stream, interrupts) or not await self.waited(job, interrupts):
                self.out.complain(
                    f"  left running      its log: rota logs -f {job.id}      stop it: rota cancel {job.id}"
                )
                return Code.INTERRUPTED
        finally:
            await stream.aclose()
        self.say_uncollected(job)
        if self.out.as_json:
            self.out.json(job.data)
        self.out.say(closing_line(job.data))
        if (advice := not_executable(job.data)) is not None:
            self.out.say(advice)
        return of_job(job.data)

    async def waited(self, job: AsyncJob, interrupts: Interrupts) -> bool:
        """Wait for the job's end, which its log has told; False where a person did not want to."""
        ending, stop = asyncio.ensure_future(job.wait()), asyncio.ensure_future(interrupts.event.wait())
        await asyncio.wait({ending, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not ending.done():
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
            return False
        ending.result()
        return True

    def say_uncollected(self, job: AsyncJob) -> None:
        """What its last attempt should have brought back, and did not: a line each."""
        problems = job.data.attempts[-1].problems if job.data.attempts else []
        for problem in problems[:UNCOLLECTED_MAX]:
            self.out.say(f"  {uncollected(problem)}")
        if len(problems) > UNCOLLECTED_MAX:
            self.out.say(f"  not collected: {len(problems) - UNCOLLECTED_MAX} more      all: rota show {job.id}")

    async def show(self, job: AsyncJob, stream: LogStream, interrupts: Interrupts) -> bool:
        """Write the log out; False where a person wanted to see no more of it."""
        writer, attempt = LogWriter(), stream.attempt
        stream.on_wait = lambda waits: self.out.say(f"  {printable(waits.message)}")
        coming = asyncio.ensure_future(anext(stream, None))
        stop = asyncio.ensure_future(interrupts.event.wait())
        try:
            while True:
                await asyncio.wait({coming, stop}, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    interrupts.event.clear()
                    stop = asyncio.ensure_future(interrupts.event.wait())
                    if not await self.answer(job, interrupts):
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

    async def answer(self, job: AsyncJob, interrupts: Interrupts) -> bool:
        """Ctrl-C: do what is wanted and say it; False where the job is to be left."""
        choice = self.on_interrupt
        if choice == "ask":
            choice = ask(interrupts) if is_terminal(sys.stdin) and is_terminal(sys.stderr) else "leave"
        if choice == "cancel":
            self.on_interrupt = "leave"  # a second Ctrl-C wants to go
            try:
                await job.cancel()
                self.out.say(f"  cancelling {job.id}      Ctrl-C again: do not wait for it")
            except Conflict:
                self.out.say(f"  {job.id} has ended already")
        return choice != "leave"


def begun(job: protocol.Job) -> int | None:
    """From which try on its log is to be shown: from the next one, where several may follow each other."""
    if not job.spec.awaits_verdict:
        return None
    return 1 + max((attempt.number for attempt in job.attempts if attempt.state not in NOT_BEFORE), default=0)


def ask(interrupts: Interrupts) -> str:
    """What a person at the terminal wants: `cancel`, `leave` or `go`. A second Ctrl-C leaves."""
    interrupts.pause()
    try:
        words = click.Choice([word for answer in ANSWERS for word in (answer[0], answer)], case_sensitive=False)
        word = click.prompt(QUESTION, type=words, default="l", show_choices=False, err=True, prompt_suffix=" ")
    except click.Abort:
        word = "l"
    finally:
        interrupts.listen()
    return next(answer for answer in ANSWERS if answer.startswith(word))
