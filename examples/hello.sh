#!/bin/sh
# A command on a worker, as if it ran here: its output, its exit code.
set -u

rota run -- sh -c 'echo "hello from $(uname -n)"; exit 3'
echo "the job's exit code was $?"
