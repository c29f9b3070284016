# make train: set up and run the main job. make test: set up and pass the tests. Nothing but Python 3.11+ is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
export OMP_NUM_THREADS_FOR_TESTS ?= 1

.PHONY: train test check lint types setup clean

train: $(STAMP) ## set up and train model=baseline on the embedded data; ARGS="model=medium" for anything else
	$(BIN)/python -m mhc.train $(ARGS)

test: check ## set up, then lint, types and tests

check: lint types
	OMP_NUM_THREADS=$(OMP_NUM_THREADS_FOR_TESTS) $(BIN)/pytest -n $(WORKERS) --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry .

types: $(STAMP)
	$(BIN)/mypy

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}. Name one with: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $(STAMP)

clean: ## remove what make made; runs and bundles stay
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
