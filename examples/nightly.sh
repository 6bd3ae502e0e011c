#!/bin/sh
# Submit now, wait later. With several jobs `rota wait` says whether all of them succeeded.
set -eu

tests=$(rota submit --quiet --name tests --timeout 10m -- sh -c 'echo 12 tests pass')
style=$(rota submit --quiet --name style --timeout 10m -- sh -c 'echo 1 line is too long; exit 1')

if rota wait --quiet "$tests" "$style"; then
  echo "tonight's build is good"
else
  echo "tonight's build is not good:"
  rota logs "$style"
fi
