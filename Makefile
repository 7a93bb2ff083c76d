# The first Python that every engine has a wheel for: 3.11 to 3.13.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if $$p -c '$(FITS)' 2> /dev/null; then echo $$p; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
# What the system runs with, and what its tests and benchmarks need beside that.
TO_RUN := $(VENV)/.installed-to-run
STAMP := $(VENV)/.installed

# A module is compiled when it is first used, since most that is installed is never used. So its byte code has to be
# kept, whatever the shell has set.
unexport PYTHONDONTWRITEBYTECODE

define install
@$(or $(PYTHON),false) -c '$(FITS)' 2> /dev/null || { echo "Python 3.11, 3.12 or 3.13 is needed; name it: make PYTHON=python3.12" >&2; exit 1; }
@echo "installing into $(VENV) ..." >&2
@$(PYTHON) -m venv $(VENV)
@$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --require-hashes --no-deps -r $<
endef

.PHONY: up demo check test audit peers bench chaos releases histories replay screenshot lock platforms supply

up: $(TO_RUN)
	@exec $(BIN)/python -m stack

demo: $(TO_RUN)
	@exec $(BIN)/python -m stack.demo

check: $(STAMP)
	@exec ./tests/check

# All of it, or one: make test T=tests/unit/test_backoff.py
test: $(STAMP)
	@exec ./tests/run $(T)

$(TO_RUN): requirements-embedded.lock
	$(install)
	@touch $@

$(STAMP): requirements-dev.lock
	$(install)
	@touch $(TO_RUN) $@

histories: $(STAMP)
	@exec $(BIN)/python -m tests.replay.record $${RELEASE:+--release "$$RELEASE"}

# Exported histories: make replay HISTORIES=folder. Those of a namespace: make replay QUERY="WorkflowType = 'BookTrip'"
replay: $(STAMP)
	@exec $(BIN)/python -m replay $${HISTORIES:+"$$HISTORIES"} $${QUERY:+--query "$$QUERY"}

audit: $(TO_RUN)
	@exec $(BIN)/python -m audit

# What only the contest needs, and not the lock; it leaves out who is not installed.
peers: $(STAMP)
	@$(BIN)/python -m trials.bench.contest.restate_server

bench: $(STAMP)
	@for name in backoff guard contest kinds growth size buys telemetry attack; do $(BIN)/python -m trials.bench $$name || exit 1; done

chaos: $(STAMP)
	@$(BIN)/python -m trials.chaos --matrix
	@$(BIN)/python -m trials.chaos

# A build is released and taken back, a worker killed, while trips are booked.
releases: $(STAMP)
	@exec $(BIN)/python -m trials.releases

screenshot: $(STAMP)
	@$(BIN)/python docs/pictures/take_screenshot.py
	@$(BIN)/python docs/pictures/take_console.py

# Both need uv. Run the first after a change of the dependencies in pyproject.toml.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	--prerelease if-necessary-or-explicit -q
lock:
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra embedded --extra dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --extra embedded -c requirements-dev.lock -o requirements-embedded.lock
	uv pip compile --group pyproject.toml:supply --universal --python-version 3.11 --generate-hashes --no-header -q \
		-o requirements-supply.lock

# Whether every package has a wheel for each platform that the README names.
platforms:
	@./stack/deploy/platforms

# Checks the Dockerfile, the manifests and the locked packages; writes the bill of materials and the licences.
supply: $(TO_RUN)
	@./stack/deploy/supply
