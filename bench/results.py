"""`make bench`: every question in turn, each a process of its own; writes RESULTS.md, results.json and the plots.

A question that fails loses its own row only: the row says why, the others stay, and the exit code is 1.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import deep
import machine
from table import Answer, Row, load, markdown, save

HERE = Path(__file__).resolve().parent
END_S = 60
"""How long a question that was interrupted may take to end its servers and workers."""
HEAD = ("question", "measured", "bar", "kept", "numbers")
NOT_SHOWN = """
## What this does not show
- Server, worker, jobs and the measuring client share the machine's cores; on more cores than these the ratio differs.
- The limit is sampled right before and after each round, since it moves: read ratios, not jobs/s, across runs.
- /bin/true prints nothing and leaves no file: jobs that do cost more; the plots say how much.
- All is on one machine, on loopback, without TLS; the store is SQLite. Other stores and a network are not measured.
- SIGKILL ends the server, not the machine: that an acknowledged finish outlives a power cut rests on SQLite's
  `synchronous=FULL` and on disks that do what fsync asks.
- The no-op worker is a stand-in of bench/ that starts nothing: its row is the cost of server and protocol, not a way
  to run jobs.
- How many workers were woken for a job is told by the server's CPU time, as no answer of the protocol shows it.
- Other job systems are measured by `make bench-peers`, into [PEERS.md](PEERS.md).
"""


class Question(NamedTuple):
    """A file of this folder, with options; it is interrupted after `within_s`."""

    words: tuple[str, ...]
    within_s: int = 600

    @property
    def name(self) -> str:
        """As --only takes it."""
        return self.words[0].removesuffix(".py")


QUESTIONS = (
    Question(("throughput.py", "--slots=64")),
    Question(("throughput.py", "--slots=64", "--prints=1")),
    Question(("throughput.py", "--slots=4")),
    Question(("throughput.py", "--slots=1")),
    Question(("no_op.py",)),
    Question(("latency.py",)),
    Question(("depth.py",), within_s=1200),
    Question(("listing.py",)),
    Question(("submit.py",)),
    Question(("waiters.py",)),
    Question(("big_log.py",)),
    Question(("big_artifact.py",)),
    Question(("idle.py",)),
    Question(("commands.py",)),
    Question(("durable.py",)),
    Question(("curves.py",), within_s=1200),
)


def main() -> int:
    """Measure, write, and return 1 where a question could not be answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds: some five minutes")
    names = sorted({one.name for one in QUESTIONS})
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"printed only: {', '.join(names)}")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    chosen = [one for one in QUESTIONS if not asked.only or one.name in asked.only]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rota-bench-deep-") as kept:
        os.environ[deep.KEPT] = kept
        answers = [_answered(one, quick=asked.quick) for one in chosen]
    whole = Answer([row for one in answers for row in one.rows], [curve for one in answers for curve in one.curves])
    if not asked.only:
        _write(whole, time.monotonic() - began, quick=asked.quick)
    return int(any(row.failure is not None for row in whole.rows))


def _answered(question: Question, *, quick: bool) -> Answer:
    """What its process measured; a row that says why where it measured nothing."""
    words = " ".join(question.words)
    print(f"-- {words}", flush=True)
    with tempfile.TemporaryDirectory(prefix="rota-bench-") as folder:
        told, said = Path(folder) / "answer.json", Path(folder) / "said"
        command = [sys.executable, str(HERE / question.words[0]), *question.words[1:], "--json", str(told)]
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [*command, *(["--quick"] if quick else [])], stderr=errors, start_new_session=True
            )
            reason = _ended(process, question.within_s)
        if told.exists():
            return load(told)
        lines = said.read_text(errors="replace").strip().splitlines()
        print("\n".join(lines), file=sys.stderr)
        return Answer([Row(f"`{words}`", failure=reason or (lines or [f"exit code {process.returncode}"])[-1][:300])])


def _ended(process: subprocess.Popen[bytes], within_s: float) -> str | None:
    """Wait for its end; why it was interrupted, where it was. An interrupt lets it end what it has started."""
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return f"it had not ended after {within_s:.0f} s"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return None


def _write(answer: Answer, took_s: float, *, quick: bool) -> None:
    kept = [row.is_kept for row in answer.rows if row.is_kept is not None]
    lines = ["# Measured", "", *machine.lines(HERE)]
    sizes = ", with small sizes (--quick)" if quick else ""
    lines += [
        f"- In one run of {took_s / 60:.0f} minutes{sizes}. The bars of {sum(kept)} of {len(kept)} rows are kept.",
        "- Each figure is a median (least to greatest, n rounds); a bar is held against the median.",
        "",
    ]
    lines += [markdown(HEAD, [row.cells() for row in answer.rows]), ""]
    pictures = {"throughput": "Throughput", "latency": "Latency"} | {curve.file: curve.title for curve in answer.curves}
    lines += [f"![{title}](plots/{file}.svg)" for file, title in pictures.items()]
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n" + NOT_SHOWN)
    save(answer, HERE / "results.json")
    subprocess.run([sys.executable, str(HERE / "plots.py")], check=True)


if __name__ == "__main__":
    sys.exit(main())
