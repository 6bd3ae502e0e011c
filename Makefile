# Everything a contributor types. `make` alone lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help dev demo check format test sim sim-mutants model chaos bench bench-guard bench-peers docs record lock clean

PYTHON ?= python3
BIN := .venv/bin
# More words for pytest or a benchmark: make test ARGS="-k refused -x"; make bench ARGS=--quick
ARGS ?=

# Compiled modules are wanted: without them every start of `rota` would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHON

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s%s\n", $$1, $$2 }'

# To run Rota: the locked dependencies, then this checkout itself.
.venv/.runs: requirements.lock pyproject.toml .ci/make-venv
	@.ci/make-venv
	@.ci/install requirements.lock
	@touch $@

# To work on Rota: the tools as well.
.venv/.develops: .venv/.runs requirements-dev.lock
	@.ci/install requirements-dev.lock
	@touch $@

dev: .venv/.develops ## Make .venv with Rota and all tools in it, from the lock files.
	@echo "  ready       Type:  . .venv/bin/activate      then:  rota --help"
	@echo "              Also:  make demo   make check   make test"

demo: .venv/.runs ## Start a server and a worker, run real jobs, show what happened, stop (under a minute).
	@$(BIN)/rota demo

check: .venv/.develops ## Format, lint, types, import rules and house rules: seconds, no test of behaviour.
	$(BIN)/ruff format --check --quiet . || { echo "make: 'make format' puts these in order" >&2; exit 1; }
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo >.venv/imports.txt 2>&1 || { cat .venv/imports.txt; exit 1; }
	$(BIN)/pytest -q --no-header tests/rules

format: .venv/.develops ## Put the code in order: format, and fix what can be fixed without a person.
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

test: .venv/.develops ## Run all tests (more words for pytest: make test ARGS="-k refused -x").
	@.ci/debian-packages
	$(BIN)/pytest $(ARGS)

sim: .venv/.develops ## The whole system in a simulation: 10,000 seeds on all cores (ARGS="--seed 7" replays one).
	PYTHONPATH=tests $(BIN)/python -P -m simulation $(ARGS)

sim-mutants: .venv/.develops ## Deliberate faults in the code, each of which the simulation must find (minutes).
	PYTHONPATH=tests $(BIN)/python -P -m simulation.mutants $(ARGS)

model: ## Check the protocol's model in all its states with spin, and that each deliberate fault is found (minutes).
	@.ci/debian-packages
	@docs/model/check all
	@docs/model/check faults

chaos: .venv/.develops ## Two minutes of kill -9, stops and bad wires; then nothing is lost, nothing ran twice (ARGS="--seconds 20 --seed 1").
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

# To draw plots of what was measured: matplotlib, which nothing else needs.
.venv/.measures: .venv/.develops requirements-bench.lock
	@.ci/install requirements-bench.lock
	@touch $@

bench: .venv/.measures ## Measure everything on this machine (some 25 minutes; ARGS=--quick: 5), write bench/RESULTS.md.
	$(BIN)/python bench/results.py $(ARGS)

bench-guard: .venv/.develops ## Measure the small ratios (under a minute); fails where one is past its bar.
	@$(BIN)/python bench/guard.py

bench-peers: .venv/.measures ## Measure other job systems beside Rota, in .venv/peers (minutes), write bench/PEERS.md.
	$(BIN)/python bench/peers.py $(ARGS)

docs: .venv/.develops ## Write the pages of docs/reference that are generated from the code.
	$(BIN)/python docs/build.py

record: .venv/.develops ## Record this version's conversation for the tests of later ones (tests/upgrade/conversations).
	PYTHONPATH=tests $(BIN)/python -m upgrade.record

LOCK := --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links

# Locks hold for Python 3.11 to 3.13 and every platform; no index is named in them.
lock: .venv/.develops ## Resolve the dependencies anew and write the lock files, with hashes.
	@test -x .venv/lock/bin/uv || { $(BIN)/python -m venv .venv/lock && .venv/lock/bin/pip install -qq uv; }
	.venv/lock/bin/uv pip compile $(LOCK) --group build -o requirements.lock pyproject.toml
	.venv/lock/bin/uv pip compile $(LOCK) --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	.venv/lock/bin/uv pip compile $(LOCK) --group bench -c requirements-dev.lock -o requirements-bench.lock

clean: ## Remove .venv, caches and what was built; sources and data stay.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build test-output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
