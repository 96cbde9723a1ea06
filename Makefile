# `make help` lists the commands.
PYTHON ?= python3.13
VENV := .venv
BIN := $(VENV)/bin
AZURITE := local/node_modules/.bin/azurite-table
ALONE := tests/chaos tests/contract/test_functions_host.py tests/unit/test_transport.py
BROWSER := tests/upgradectl/browser
KUSTO := tests/operations/kusto/node_modules/.package-lock.json
PRODUCER := examples/producers/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help setup check format test up demo chaos infra-check report-check package bench recording lock audit clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/ready $(AZURITE) $(KUSTO) $(PRODUCER)  ## what the other commands need; they call it themselves

$(VENV)/ready: requirements.txt requirements-upgradectl.txt requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
		|| { echo "Python 3.13 is needed (not found as '$(PYTHON)'): install it, or name it: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(AZURITE): local/package-lock.json
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
		|| { echo "Node 20 or later is needed (node and npm on the PATH): it runs Azurite, the storage emulator" >&2; exit 1; }
	npm ci --prefix local --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json | $(AZURITE)
	npm ci --prefix $* --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

check: setup  ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## formats the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test: setup  ## all tests, four at a time: most of them wait; those that judge when things happen afterwards, by themselves
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile $(ALONE:%=--ignore %) --ignore $(BROWSER)
	$(BIN)/python -m pytest -p no:xdist $(ALONE)

up: setup  ## the local cloud with the functions, until Ctrl-C (PORT=21000: on that port and the five after it)
	@$(BIN)/python -m local.up $(if $(PORT),--base-port $(PORT))

demo: setup  ## every request of examples/requests.jsonl through the local cloud (REQUESTS=my.csv: your own)
	@$(BIN)/python -m local.demo $(REQUESTS)

chaos: setup  ## the fault campaign (SEED=7 REQUESTS=3000 MIX=completes=3,failed=1 WITHOUT=lease)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(REQUESTS),--requests $(REQUESTS)) \
		$(if $(MIX),--mix $(MIX)) $(if $(WITHOUT),--without $(WITHOUT))

report-check: setup  ## the HTML report in Chromium (CHROMIUM=command); screenshots in .local/screenshots
	CI=true $(BIN)/python -m pytest -p no:xdist $(BROWSER)

infra-check: setup  ## the Bicep templates and what they deploy (BICEP=command: a compiler other than bicep or az bicep)
	CI=true $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile tests/infra

package: $(VENV)/ready  ## the zip that is deployed: .local/package/app.zip
	@$(BIN)/python scripts/package.py

bench: setup  ## measures it against a textbook function, for hours: bench/RESULTS.md (ONLY="1 3" RUNS=3 SCALE=1)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@$(BIN)/python -m bench $(ONLY:%=--only %) $(if $(RUNS),--runs $(RUNS)) $(if $(SCALE),--scale $(SCALE))

recording: setup  ## the terminal recording of README; the local cloud begins anew for it
	@[ -x .local/termtosvg/bin/termtosvg ] || { $(BIN)/python -m venv .local/termtosvg && \
		.local/termtosvg/bin/python -m pip install --quiet --disable-pip-version-check termtosvg==1.1.0 'setuptools<81'; }
	$(BIN)/python scripts/recording.py .local/termtosvg/bin/termtosvg docs/images/upgradectl.svg

lock: $(VENV)/ready  ## requirements.txt, with hashes, of requirements.in
	$(BIN)/uv pip compile requirements.in --universal --python-version 3.13 --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file requirements.txt

audit: $(VENV)/ready  ## licences and known vulnerabilities of what is deployed
	@[ -x .local/audit/bin/pip-audit ] || { $(BIN)/python -m venv .local/audit && \
		.local/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit pip-licenses; }
	@.local/audit/bin/python scripts/audit.py $(BIN)/python

clean:  ## removes what the commands made
	rm -rf $(VENV) .local .python_packages local/node_modules tests/operations/kusto/node_modules examples/producers/node_modules
