#!/bin/sh
# Three jobs in one submission: a list is made, each of its lines is worked on by a part of an array, and when all parts
# have succeeded the last job adds up. All or none is submitted.
set -eu

ids=$(rota submit --quiet --file - <<'END'
{"jobs": [
  {"name": "list", "script": "mkdir out; printf '1\\n2\\n3\\n' > out/numbers", "artifacts": ["out/**"]},
  {"name": "squares", "needs": [{"job": "list"}], "array": "1-3", "max_parallel": 2,
   "inputs": [{"path": "numbers", "artifact": {"job": "list", "path": "out/numbers"}}],
   "script": "n=$(sed -n ${ROTA_ARRAY_INDEX}p numbers); echo $((n * n)) | tee $ROTA_RESULT"},
  {"name": "done", "needs": [{"job": "squares"}], "script": "echo all parts are there"}
]}
END
)

squares=$(echo "$ids" | sed -n 2p)
last=$(echo "$ids" | sed -n 3p)
rota wait --quiet "$last"
echo "parts: $(rota show --json "$squares" | python3 -c 'import json, sys; parts = json.load(sys.stdin)["parts"]; print(parts["succeeded"], "of", parts["total"])') succeeded"
echo "sum of squares: $(for part in $(rota list --quiet --parent "$squares"); do rota logs "$part"; done | awk '{ sum += $1 } END { print sum }')"
