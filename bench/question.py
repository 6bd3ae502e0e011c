"""How each question's file is run: its sizes are options, `--quick` has small ones, `--json FILE` keeps the answer."""

import argparse
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from table import Answer, save, told

Sizes = Mapping[str, int]


def main(measure: Callable[[argparse.Namespace], Answer], full: Sizes, quick: Sizes) -> None:
    """Measure as the command line says; `quick` holds those sizes that differ from `full` with --quick."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep what was measured")
    for name, size in full.items():
        small = f", {quick[name]} with --quick" if name in quick else ""
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"default {size}{small}")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    sizes = {**full, **quick} if asked.quick else full
    for name, size in sizes.items():
        if getattr(asked, name) is None:
            setattr(asked, name, size)
    answer = measure(asked)
    if asked.json:
        save(answer, asked.json)
    for row in answer.rows:
        print(" | ".join(row.cells()))
    for curve in answer.curves:
        for name, points in curve.lines.items():
            print(f"{curve.title}: {name}: " + "; ".join(f"{point.x:g}: {told(point.values)}" for point in points))
