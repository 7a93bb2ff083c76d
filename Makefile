PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: up demo test histories

up: $(STAMP)
	@exec $(BIN)/python -m stack

demo: $(STAMP)
	@exec $(BIN)/python -m stack.demo

test: $(STAMP)
	@exec ./tests/run

$(STAMP): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "installing into $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

histories: $(STAMP)
	@exec $(BIN)/python -m tests.replay.record
