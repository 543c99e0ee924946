# Everything runs in a venv in the checkout; Python 3.11 or newer is all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# Much of the suite waits for processes of its own, so several tests run at once.
PARALLEL := -n auto --maxprocesses 8 --dist worksteal
# The package: what lies in the root, and every folder there that is a package but the benchmarks.
SOURCES := $(wildcard *.py) py.typed $(filter-out bench,$(patsubst %/__init__.py,%,$(wildcard */__init__.py)))

.PHONY: demo test lint types check coverage slow study bench clean

demo: $(READY)
	$(BIN)/hydrometer demo

test: $(READY)
	$(BIN)/python -m pytest $(PARALLEL)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# A checkout's folder may have any name, so the package is checked under its own, in a mirror.
types: $(READY)
	rm -rf $(VENV)/src && mkdir -p $(VENV)/src/hydrometer
	cd $(VENV)/src/hydrometer && ln -s $(addprefix ../../../,$(SOURCES)) .
	cd $(VENV)/src && ln -s ../../bench .
	cd $(VENV)/src && ../bin/mypy --config-file ../../pyproject.toml -p hydrometer -p bench
	cd $(VENV)/src && MYPYPATH=../../tests:../../examples ../bin/mypy --config-file ../../pyproject.toml \
	    --explicit-package-bases ../../tests ../../examples

check: lint types test

# Lines and branches that the suite runs, in processes of its own too.
coverage: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered

# Studies that take minutes: coverage of the intervals, adaptation of the search, fuzzing.
slow: $(READY)
	$(BIN)/python -m pytest -m slow --timeout 1800

# The tables of docs/search.md.
study: $(READY)
	$(BIN)/python -m pytest -m slow --timeout 1800 -s tests/engine/test_adaptation_study.py

bench: $(READY)
	$(BIN)/python -m bench live
	$(BIN)/python -m bench replay
	$(BIN)/python -m bench store
	$(BIN)/python -m bench peers
	$(BIN)/python -m bench memory
	$(BIN)/python -m bench soak

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-* build dist *.egg-info .coverage*
