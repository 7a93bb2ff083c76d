PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: up demo check test audit bench chaos histories screenshot lock

up: $(STAMP)
	@exec $(BIN)/python -m stack

demo: $(STAMP)
	@exec $(BIN)/python -m stack.demo

check: $(STAMP)
	@exec ./tests/check

# All of it, or one: make test T=tests/unit/test_backoff.py
test: $(STAMP)
	@exec ./tests/run $(T)

$(STAMP): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "installing into $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

histories: $(STAMP)
	@exec $(BIN)/python -m tests.replay.record

audit: $(STAMP)
	@exec $(BIN)/python -m audit

bench: $(STAMP)
	@for name in backoff guard contest growth buys; do $(BIN)/python -m trials.bench $$name || exit 1; done

chaos: $(STAMP)
	@$(BIN)/python -m trials.chaos --matrix
	@$(BIN)/python -m trials.chaos

screenshot: $(STAMP)
	@$(BIN)/python docs/pictures/take_screenshot.py
	@$(BIN)/python docs/pictures/take_console.py

# Needs uv; run it after a change of the dependencies in pyproject.toml.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --prerelease if-necessary-or-explicit -q -o requirements.lock
	uv pip compile pyproject.toml --extra embedded --extra dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --prerelease if-necessary-or-explicit -q -o requirements-dev.lock
