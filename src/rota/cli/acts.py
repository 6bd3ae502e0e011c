"""The three acts of `rota demo`."""

import shlex
import shutil
import sys
from pathlib import Path

import click

from rota.cli.draw_flow import draw
from rota.cli.job_words import closing_line
from rota.cli.output import Output, is_terminal
from rota.cli.quantities import say_size
from rota.cli.terminal import Cleaner, printable
from rota.client import AsyncClient, AsyncJob
from rota.protocol.wire import encode, to_base64

OPENING = (
    "",
    "Rota runs jobs on machines that nobody can reach from outside:",
    "workers come to the server and ask. Here are one of each, two processes that speak HTTP.",
    "",
)
CLOSING = (
    "",
    "Both processes have ended and their folder is gone. To go on:",
    "  rota dev                     a server and a worker that stay",
    "  rota run -- echo hello       in another terminal; exits with the job's own code",
    "",
)
POEM = """\
Twas brillig, and the slithy toves
Did gyre and gimble in the wabe:
All mimsy were the borogoves,
And the mome raths outgrabe.
"""
COUNT = """\
echo "on $(uname -n), in a folder of its own that holds: $(ls)"
mkdir out
n=0
while read -r line; do
  n=$((n + 1))
  words=$(echo "$line" | wc -w)
  echo "line $n has $words words"
  echo "$words" >> out/words-per-line.txt
  sleep 0.4
done < poem.txt
sort -n poem.txt > out/sorted.txt
echo "{\\"lines\\": $n, \\"words\\": $(wc -w < poem.txt)}" > "$ROTA_RESULT"
"""
FAILS = ("sh", "-c", "echo two of three tests pass; exit 3")
BAR = "  │ "
NARROWEST = 100


def heading(out: Output, number: int, text: str) -> None:
    """An act begins."""
    out.data("")
    out.data(click.style(f"{number}  {text}", bold=True))


async def a_job_that_works(out: Output, client: AsyncClient, to: Path) -> None:
    """Reads an input, prints as it goes, writes two artifacts and a JSON result."""
    heading(out, 1, "A job reads a file, prints as it goes, and brings back what it made.")
    out.data("   $ rota run --input poem.txt --artifact 'out/*' --script count.sh")
    job = await client.submit(
        script=COUNT,
        name="count",
        inputs=[{"path": "poem.txt", "content": to_base64(POEM.encode())}],
        artifacts=["out/*"],
    )
    await show_live(out, job)
    for path in await job.download_all(to):
        out.data(f"   brought back   {path.relative_to(to)}   {say_size(path.stat().st_size)}, its sha256 verified")
    out.data(f"   its result     {printable(encode(job.value).decode())}")


async def a_job_that_fails(out: Output, client: AsyncClient) -> AsyncJob:
    """Exits with 3, and is finished nevertheless."""
    heading(out, 2, "A job that exits with 3 has finished, too: the number is its result, not an error of Rota's.")
    out.data(f"   $ rota run -- {shlex.join(FAILS)}")
    job = await client.submit(command=FAILS)
    await show_live(out, job)
    out.data(
        f"   state {job.state}, verdict {job.verdict or 'not given yet'}: the scheduler decides what follows, and you."
    )
    return job


async def what_they_said(out: Output, job: AsyncJob) -> None:
    """The flow of that job, as it was."""
    heading(out, 3, "What they said to each other about that job: not a picture from a manual, but what was sent.")
    out.data("   $ rota flow last")
    width = max(NARROWEST, shutil.get_terminal_size().columns) if is_terminal(sys.stdout) else None
    for line in draw((await job.flow()).messages, width):
        out.data(line)


async def show_live(out: Output, job: AsyncJob) -> None:
    """Its log, a line as soon as it is whole, and how it ended."""
    cleaner, rest = Cleaner(), ""
    async for piece in job.follow():
        *lines, rest = (rest + cleaner.clean(piece)).split("\n")
        for line in lines:
            out.data(BAR + line)
    if rest:
        out.data(BAR + rest)
    await job.wait()
    out.data(closing_line(job.data).split("      ")[0])
