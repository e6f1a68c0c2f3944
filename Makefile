# Everything the project needs is installed into .venv by the first target that wants it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types contracts check profiles docs bench crash lock clean

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Install the locked dependencies and the package into .venv
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or later is needed, and $(PYTHON) is %d.%d." \
	  " Name another, as in: make $(or $(MAKECMDGOALS),install) PYTHON=python3.11"\
	  % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip --quiet check
	@touch $@

demo: $(STAMP) ## Run the whole path on a real FHIR server with a synthetic hospital
	@$(BIN)/python -m tests.hospital.demo

test: $(STAMP) ## Run all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered -q

lint: $(STAMP) ## Lint, and check the formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Check the types
	$(BIN)/mypy

contracts: $(STAMP) ## Check that no floor of the house leans on one above it
	$(BIN)/lint-imports

profiles: $(STAMP) ## Generate the FHIR package from the domain's codes
	$(BIN)/python -m fhir_adapter.mapping.profiles profiles/

docs: $(STAMP) ## Refresh the documentation from the code, the protocol file and real runs
	$(BIN)/python -m tests.docs.generate
	$(BIN)/python -m tests.docs.test_exactly_once

bench: $(STAMP) ## Measure the speed, beside the peers
	$(BIN)/python -m benchmarks.mapping
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.validation
	$(BIN)/python -m benchmarks.push --server sekmet

crash: $(STAMP) ## Kill a push 200 times, on both servers (needs a JDK and Maven; a quarter of an hour)
	$(BIN)/python -m tests.pipeline.crash --times 25

check: lint types contracts test ## Everything that CI checks but the demo

lock: ## Pin every dependency anew (needs uv)
	uv pip compile --quiet --upgrade --python-version 3.11 --universal --generate-hashes \
	  --no-annotate --no-header --extra dev pyproject.toml -o requirements.lock

clean: ## Remove what was built
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist
