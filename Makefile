# Everything a developer does here. Needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# The suite in two processes, each with a server of its own; `make test PROCESSES=0` is one.
PROCESSES ?= 2
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup check format test test-16 chaos demo demo-ugly bench bench-peers build clean

help:  ## Show this help
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## Make .venv with everything that development needs

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[dev-server,fast,reload]" --group develop
	@touch $@

check: $(READY)  ## Formatter, linter, strict types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --warnings
	$(BIN)/lint-imports

format: $(READY)  ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

test: $(READY)  ## The test suite on PostgreSQL 18, and its store and system parts on 16
	$(PYTEST)
	$(MAKE) test-16

test-16: $(READY)  ## The store and system parts of the suite on PostgreSQL 16
	JOBQUEUE_TEST_POSTGRES=16 $(PYTEST) tests/store tests/system

chaos: $(READY)  ## Faults at random for MINUTES=2, by SEED if given, and the sums at the end
	$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED))

demo: $(READY)  ## Play the email pipeline: sign-ups, SMTP, a killed worker, and the sums at the end
	$(BIN)/python -m examples.email_pipeline.demo

demo-ugly: $(READY)  ## Run every kind of task that hurts its worker elsewhere, beside a thousand that behave
	$(BIN)/python -m examples.ugly_tasks.demo

bench: $(READY)  ## Measure enqueue, drain and latency beside the raw SQL ceiling
	$(BIN)/python -m benchmarks

bench-peers: $(READY)  ## Measure the same work by other queues, each in its own environment
	$(BIN)/python -m benchmarks.peers

build: $(READY)  ## Build the wheel and the source distribution into dist/
	$(BIN)/python -m build --no-isolation

clean:  ## Remove what can be made again; databases under .jobqueue are kept
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
