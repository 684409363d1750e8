# The targets of this checkout; `make help` lists them. `make demo` and `make test-unit` need Python 3.11+ and make only.
# Targets that first run `cluster-prepare` (test, kueue, chaos, scale) also need Go, and build Kubernetes: half an hour, once.
.DEFAULT_GOAL := help
BASE_PYTHON ?= python3
PYTHON = .venv/bin/python
DEMO_OUTPUT = demo-output

.PHONY: help venv demo test test-unit lint format docs build clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  %-16s %s\n", $$1, $$2 }'

venv: .venv/.installed ## set up .venv from the lock files, with pip alone
	@$(PYTHON) -m compileall -q runtime operator examples/applications # as pip does: commands start a second sooner

.venv/.installed: pyproject.toml requirements.lock requirements/build.lock
	@$(BASE_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$$($(BASE_PYTHON) --version) is too old: name a Python 3.11 or later, make venv BASE_PYTHON=python3.13"; exit 1; }
	@echo "setting up .venv: once, a minute or two"
	@$(BASE_PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.lock
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: venv ## count the words of three books with the local engine
	@rm -rf $(DEMO_OUTPUT)
	@.venv/bin/podreduce run examples/wordcount/job.yaml --input examples/wordcount/books/ --output $(DEMO_OUTPUT)/
	@echo "the ten most frequent words:"
	@$(PYTHON) examples/wordcount/top.py $(DEMO_OUTPUT)

test: venv lint cluster-prepare ## everything: lint, then all test tiers (those that cannot run here say why)
	$(PYTHON) -m pytest -p tests.beside.first

test-unit: venv ## what needs neither a cluster nor MinIO
	$(PYTHON) -m pytest --quiet tests/unit

lint: venv ## ruff, mypy and the import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

format: venv ## bring the sources into shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

docs: venv ## write the parts of docs and CRDs that follow from the code
	$(PYTHON) -m docs.generator

build: venv ## the wheel and the source archive, in dist/
	$(PYTHON) -m hatchling build

clean: ## remove what make has made
	rm -rf .venv .venv-bench dist build bench-results $(DEMO_OUTPUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

-include tests/cluster/cluster.mk tests/properties/properties.mk tests/simulation/simulate.mk tests/metamorphic/metamorphic.mk tests/mutants/mutants.mk tests/programs/programs.mk \
  tests/bench/bench.mk tests/chaos/chaos.mk tests/scale/scale.mk tests/cost/cost.mk tests/applications/applications.mk
