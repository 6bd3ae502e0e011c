"""`make chaos`: the storm at full length, its counts, and what was wrong if anything was."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from chaos.play import play
from chaos.storm import Wanted


def main() -> int:
    """0 where all held."""
    parser = argparse.ArgumentParser(
        description="Kill, stop, cut and repeat; then see that nothing was lost or ran twice."
    )
    parser.add_argument("--seconds", type=int, default=120, help="how long somebody is killed every second")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--folder", type=Path, help="keep everything here, to look at it; must not exist")
    given = parser.parse_args()
    wanted = Wanted(given.seconds, given.jobs, given.seed)
    if given.folder:
        given.folder.mkdir()
        told = play(given.folder.absolute(), wanted)
    else:
        with tempfile.TemporaryDirectory(prefix="rota-chaos-") as name:
            told = play(Path(name), wanted)
    sys.stdout.write("\n".join(told.lines) + "\n")
    for line in told.wrong[:50]:
        sys.stdout.write(f"WRONG  {line}\n")
    sys.stdout.write("something is wrong\n" if told.wrong else "all held\n")
    return 1 if told.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
