# The applications on data with published figures, and how fast they are. Included by the Makefile.
# Each application has a directory here: published.py prints its table, bench.py measures it.
PYTHON ?= .venv/bin/python
APPLICATIONS ?= $(sort $(patsubst tests/applications/%/published.py,%,$(wildcard tests/applications/*/published.py)))

.PHONY: applications bench-applications

applications: venv ## each application's figures beside the published ones; APPLICATIONS=risk for one
	@for name in $(APPLICATIONS); do echo "== $$name"; $(PYTHON) -m tests.applications.$$name.published || exit 1; done
	@echo "== shards"; $(PYTHON) -m tests.applications.shards $(APPLICATIONS)

bench-applications: venv ## how long each application takes from its data to its report; APPLICATIONS=risk for one
	@for name in $(APPLICATIONS); do echo "== $$name"; $(PYTHON) -m tests.applications.$$name.bench || exit 1; done
