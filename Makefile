# `make quickstart` takes a fresh machine to a converged environment; `make help` lists the rest.

SHELL := /bin/bash
BIN := .venv/bin
WITH_ENGINE := .ci/with-engine
EXAMPLE := examples/quickstart/env.yaml
ENGINES :=
SETS := contract,scenario

.DEFAULT_GOAL := help
.PHONY: help venv engine engines quickstart check format test test-unit test-laws test-engine test-podman test-engines test-kills test-latest test-lowest fuzz lock bench clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  %-23s %s\n", $$1, $$NF }' $(MAKEFILE_LIST)

.venv/stamp: pyproject.toml .ci/venv .ci/requirements.lock
	@.ci/venv .venv locked

venv: .venv/stamp ## Make .venv with envspec and its tools

engine: venv ## Install and start a container engine where none answers
	@$(BIN)/envspec preflight --fix || $(WITH_ENGINE) $(BIN)/envspec preflight

engines: venv ## Install and start both, Docker and Podman: the tests run on each
	@$(BIN)/envspec preflight --fix --engine docker || $(WITH_ENGINE) $(BIN)/envspec preflight --engine docker
	@$(BIN)/envspec preflight --fix --engine podman

quickstart: engine ## Stand in a converged environment made from examples/quickstart
	@$(WITH_ENGINE) $(BIN)/envspec apply --yes $(EXAMPLE)

check: venv ## Lint, format, shell scripts, types, import rules, current schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck --shell=sh envspec/engine/scripts/*.sh
	cat envspec/engine/scripts/*.sh | $(BIN)/shellcheck --norc --shell=sh --include=SC2034,SC2153,SC2154 -
	grep -rIlE --exclude-dir=.git '^#!.*\<(ba|da)?sh$$' .ci envspec examples purposes tests | xargs $(BIN)/shellcheck
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m envspec.spec.schema --check

format: venv ## Put the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: test-unit test-laws test-engine ## Run all tests, those on a real engine too

test-unit: venv ## Test the pure parts
	$(BIN)/python -m pytest -n auto tests/unit

test-laws: venv ## Hold the laws on the fake engine
	$(BIN)/python -m pytest -n auto tests/laws

test-engine: engines ## Test on real engines
	ENVSPEC_PODMAN=first $(WITH_ENGINE) $(BIN)/python -m pytest -n 2 --dist loadfile tests/engine

test-podman: engines ## Test on Podman what test-engine leaves out
	ENVSPEC_PODMAN=rest $(WITH_ENGINE) $(BIN)/python -m pytest -n 2 --dist loadfile tests/engine

test-engines: venv ## Test on engines of other suites: all, or ENGINES="docker-26 podman-5" and SETS=scenario
	$(BIN)/python -m tests.engines --sets $(SETS) --table docs/engines.md $(ENGINES)

test-kills: engines ## Kill each kind of change 20 times on each engine, which takes an hour or two
	ENVSPEC_KILLS=20 $(WITH_ENGINE) $(BIN)/python -m pytest -n 2 -m kills tests/engine/test_e2e_kills.py

test-latest test-lowest: test-%: ## Run unit tests and laws with the newest, or the oldest, dependencies admitted
	@.ci/venv .venv-$* $*
	.venv-$*/bin/python -m pytest -n auto --ignore tests/laws/test_mutants.py tests/unit tests/laws

fuzz: venv ## Hold the laws to new histories; a find is printed with what reproduces it
	ENVSPEC_HYPOTHESIS=fuzz $(BIN)/python -m pytest -n auto tests/laws/test_laws.py tests/unit

lock: venv ## Lock the newest versions of all dependencies, with hashes, for every Python that is admitted
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-emit-index-url --custom-compile-command 'make lock' --extra dev --output-file .ci/requirements.lock pyproject.toml

bench: engine ## Measure against the bare engine commands
	$(WITH_ENGINE) $(BIN)/python -m tests.benchmarks

clean: ## Remove what tests and benchmarks left on the engines, and all caches
	@for engine in docker podman; do \
	  command -v $$engine >/dev/null || continue; \
	  for kind in container network volume; do \
	    all=$$([ $$kind = container ] && echo --all); \
	    for name in '^/?evt-' '^/?envspec-bench'; do \
	      left=$$($$engine $$kind ls $$all --quiet --filter label=dev.envspec.env --filter "name=$$name"); \
	      if [ -n "$$left" ]; then $$engine $$kind rm --force $$left; fi; \
	    done; \
	  done; \
	done
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .venv-latest .venv-lowest .hypothesis .benchmarks build dist
