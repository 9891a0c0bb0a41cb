# Nine verbs and their helper. Everything happens in .venv, which the first verb makes by itself:
# Python 3.11 or later with its venv module, and make, are all that has to be there before.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := $(VENV)/.tools
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= 2
TESTS   ?= tests
MARKS   ?= not slow and not full
export HOLDFAST_REQUIRE_PEERS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs peers lock clean ci

help: ## show the verbs
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

demo: $(READY) ## share and get between two processes on this machine (DEMO_FLAGS=...)
	@$(BIN)/holdfast demo $(DEMO_FLAGS)

test: $(TOOLS) ## run the tests that take seconds (TESTS=path PYTEST_FLAGS=...)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "$(MARKS)" $(TESTS) $(PYTEST_FLAGS)

lint: $(TOOLS) ## style, types, and which package may import which; names files that grow long
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.house.sizes

bench: $(TOOLS) ## measure Holdfast beside JavaScript (JOBS=a,b SIZE=smoke)
	@mkdir -p build
	@$(BIN)/python -m benchmarks $(if $(JOBS),--jobs $(JOBS)) $(if $(SIZE),--size $(SIZE)) $(BENCH_FLAGS)

docs: $(TOOLS) ## write the generated pages again from the code (DOCS_FLAGS=--check)
	@$(BIN)/python -m docs.generate $(DOCS_FLAGS)

peers: ## install the JavaScript peers at their exact versions (needs Node)
	@cd tests/interop && npm ci --no-audit --no-fund --loglevel=error

lock: $(TOOLS) ## write requirements/*.txt again from the ranges in pyproject.toml (LOCK_FLAGS=--upgrade)
	@$(BIN)/python -m tests.house.lock $(LOCK_FLAGS)

clean: ## remove everything that these verbs made
	@rm -rf $(VENV) build dist tests/interop/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

ci: ## everything that must hold before a change lands
	@bash .ci/run

# Two stamps, so that a newcomer's demo does not wait for the tools of a developer.
$(READY): requirements/run.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Holdfast needs Python 3.11 or later, this is {v.major}.{v.minor}. Say which one: make PYTHON=python3.12")'
	@echo "Making $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements/run.txt --requirement requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS): requirements/dev.txt $(READY)
	@echo "Adding the tools to test with (once)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@
