# Every target does its own set-up: .venv is made when it is missing and brought up to date when the pins change.
PYTHON ?= python3
BIN := .venv/bin

# Files side by side, one thread each: on two cores half the time of one process.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: reproduce test test-slurm slow lint docs wheel data install clean

reproduce: .venv/installed
	$(BIN)/polyinv reproduce --output runs/reproduce

test: .venv/installed
	$(TEST)

# A study on a real SLURM of one node, started for it: as root, with apt-get install slurm-wlm munge.
test-slurm: .venv/installed
	$(BIN)/python scripts/check_slurm.py

slow: .venv/installed
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The documentation as a site that opens from disk: site/index.html. A warning, such as a dead link, is an error.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Built, installed into an empty environment and used outside the clone.
wheel: .venv/installed
	scripts/check_wheel.sh

# The bundled data sets again, in runs/data; compare the printed checksums with polyinv/data/bundled/card.yaml.
data: .venv/installed
	$(BIN)/python scripts/make_data.py runs/data

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "polyinv needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev,docs]'
	touch $@

clean:
	rm -rf .venv build dist site runs/reproduce
