# Every target does its own set-up: .venv is made when it is missing and brought up to date when the pins change.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: reproduce test slow lint data install clean

reproduce: .venv/installed
	$(BIN)/polyinv reproduce --output runs/reproduce

test: .venv/installed
	$(BIN)/python -m pytest

slow: .venv/installed
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The bundled data sets again, in runs/data; compare the printed checksums with polyinv/data/bundled/card.yaml.
data: .venv/installed
	$(BIN)/python scripts/make_data.py runs/data

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "polyinv needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv runs/reproduce
