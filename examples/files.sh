#!/bin/sh
# Inputs go to the worker, artifacts come back, verified by their sha256.
set -eu

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
printf 'pear\napple\nquince\n' > fruit.txt

rota run --input fruit.txt --artifact 'out/**' --fetch . -- sh -c 'mkdir out && sort fruit.txt > out/sorted.txt'
cat out/sorted.txt
