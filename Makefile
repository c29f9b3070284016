# make quick: set up and train the reference model. make train: set up and run the main job. make test: set up and run the tests. Only Python 3.11 or newer is required.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
export OMP_NUM_THREADS_FOR_TESTS ?= 1

.PHONY: quick train test screenshots check lint types setup clean

quick: $(STAMP) ## set up and train the reference model=linear on the embedded data, in seconds
	$(BIN)/python -m mhc.train model=linear $(ARGS)

train: $(STAMP) ## set up and train model=baseline on the embedded data; ARGS="model=medium" passes arguments
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

screenshots: $(STAMP) ## make the pictures of the README again, from real runs
	$(BIN)/python scripts/screenshots.py

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is required, this is {sys.version.split()[0]}. Choose one with: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $(STAMP)

clean: ## remove what make created, except runs and bundles
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
