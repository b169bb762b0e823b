# Two commands do all: `make run` and `make test`. Both set up what they need first.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test lint bench-transport clean

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

run: $(STAMP)
	@exec $(BIN)/realtime-server serve --demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest

# Ours, stock python-socketio and Node's socket.io side by side; needs two cores, node and npm. About ten minutes.
bench-transport: $(STAMP)
	$(BIN)/python -m loadtest.transport.bench

clean:
	rm -rf $(VENV) build *.egg-info
