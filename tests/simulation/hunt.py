"""One fault's hunt, run by `mutants.py` in a process that imports the changed sources: the first seed that fails."""

import sys

import rota
from simulation.seeds import until_found

if __name__ == "__main__":
    found, tried = until_found(0, int(sys.argv[1]), int(sys.argv[2]))
    words = ("", "0") if found is None else (found.invariant or "", str(found.seed))
    sys.stdout.write("\t".join([*words, str(tried), rota.__file__ or ""]) + "\n")
