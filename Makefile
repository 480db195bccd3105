# `make repro` and `make test` do all set-up by themselves on a machine with Python 3.11+ and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
AUDIT := $(VENV)/audit/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test test-all check audit ui up clean

repro: $(READY)
	thawline run
	thawline publish
	thawline table

test: $(READY)
	python -m pytest

test-all: $(READY)
	python -m pytest -m 'not slow and not gpu'
	python -m pytest -n 0 -m 'slow and not gpu'

check: $(READY)
	ruff check .
	ruff format --check .
	codespell $$(git ls-files '*.md' '*.py' '*.yaml' pyproject.toml Makefile)
	mypy
	-@$(MAKE) --silent $(AUDIT)
	PATH=$(VENV)/audit/bin:$(PATH) python -m tests.repo.audit

# The same, and it is an error if nobody can be asked.
audit: $(READY) $(AUDIT)
	PATH=$(VENV)/audit/bin:$(PATH) python -m tests.repo.audit --must

ui: $(READY)
	thawline ui

up: $(READY)
	python -m thawline.flows.servers

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

# In an environment of its own: what it needs is no package of the project.
$(AUDIT):
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet 'pip-audit==2.10.1'
	@touch $(AUDIT)

# The constraints file pins every package; an older pip resolves them far more slowly.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)
