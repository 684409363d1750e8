# How fast it is, beside its peers and by itself. Included by the Makefile.
PYTHON ?= .venv/bin/python
BASE_PYTHON ?= python3
BENCH ?=

.PHONY: bench bench-micro bench-memory bench-overhead bench-pipeline bench-lock

bench: venv .venv-bench/.installed ## whole jobs beside their peers; BENCH="--only wordcount --repeats 3" for less
	$(PYTHON) -m tests.bench compare $(BENCH)

bench-micro: venv ## the kernels alone, nanoseconds a record
	$(PYTHON) -m tests.bench micro $(BENCH)

bench-memory: venv ## tasks limited to 128, 256 and 512 MiB that would hold many times that
	$(PYTHON) -m tests.bench memory $(BENCH)

bench-overhead: venv ## how long an empty task takes from exec to commit
	$(PYTHON) -m tests.bench overhead $(BENCH)

bench-pipeline: venv .venv-bench/.installed ## iterations, PageRank beside PySpark and numpy, reuse, makespan; BENCH="--only reuse" for less
	$(PYTHON) -m tests.bench pipeline $(BENCH)

.venv-bench/.installed: requirements/bench.txt
	@echo "setting up .venv-bench with the peers: once, a few minutes"
	@$(BASE_PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

bench-lock: ## renew the peers' lock file (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --constraint requirements.lock pyproject.toml --extra bench --output-file requirements/bench.txt
