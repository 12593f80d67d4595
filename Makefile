# Every target does its own set-up: a virtual environment with everything in uv.lock (Node among it), and the
# CDK command line from package-lock.json. Needs Python 3.11+ and a C compiler.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV

.PHONY: help setup demo test check lint format bench bench-aggregator faults fuzz synth clean

help: ## What there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready node_modules/ready ## Install everything the other targets need

.venv/ready: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sluice needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "the venv module is missing; on Debian: apt-get install python3-venv"; exit 2; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  "uv==$$(awk '/^name = "uv"$$/ {getline; gsub(/[^0-9.]/, ""); print}' uv.lock)"
	@uv sync --locked --quiet
	@touch $@

node_modules/ready: package-lock.json .venv/ready
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup ## Run the whole pipeline on this machine and account for every log line
	@sluice demo $(ARGS)

test: setup lint ## Run every check and test
	@pytest -n 2 --dist loadfile $(ARGS)

check: setup format test ## Format the code, then run every check and test

format: setup
	@ruff format --quiet .
	@ruff check --quiet --fix .

lint: setup
	@ruff format --check --quiet .
	@ruff check --quiet .
	@mypy
	@lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@sluice render --check > /dev/null || { echo "run: sluice render"; exit 1; }

bench: setup ## Measure, as ratios against a peer in the same run
	@for part in run driver tally gate; do python tests/bench/$$part.py; done

bench-aggregator: setup ## Measure the aggregator: messages and megabytes per vCPU
	@python tests/bench/aggregator.py $(ARGS)

faults: setup ## Break everything on purpose, for real, and account for every message (20 minutes)
	@sluice faults $(if $(ARGS),$(ARGS),--page docs/reliability.md)

fuzz: setup ## Feed the transformer hostile bytes: make fuzz ARGS=-runs=1000000
	@uv run --quiet --locked --group fuzz python tests/fuzz/transformer.py $(ARGS)

synth: setup ## Synthesize and lint the templates of every environment, into cdk.out/
	@for env in $$(sluice validate --json | $(BIN)/python -c 'import json,sys; print(*json.load(sys.stdin)["environments"])'); do \
	  echo "$$env"; npx cdk synth --quiet -c env=$$env --output cdk.out/$$env > /dev/null; done
	@cfn-lint "cdk.out/**/*.template.json" && echo "templates and assets are in cdk.out/"

clean: ## Remove everything that was made, caches too
	@rm -rf .venv node_modules cdk.out .cache .sluice .mypy_cache .ruff_cache .pytest_cache .hypothesis
