# Hostile worlds by the thousand. Included by the Makefile.
PYTHON ?= .venv/bin/python
WORLDS ?= 5000
SEED ?= 0

.PHONY: simulate

simulate: venv ## run WORLDS=5000 hostile worlds, from seed SEED=0 on
	$(PYTHON) -m tests.simulation $(WORLDS) $(SEED)
	$(PYTHON) -m tests.simulation $(WORLDS) $(SEED) --pipelines
	$(PYTHON) -m tests.simulation $(WORLDS) $(SEED) --schedules
