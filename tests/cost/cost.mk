# What a thousand finished jobs cost. Included by the Makefile.
PYTHON ?= .venv/bin/python
COST ?=

.PHONY: cost

cost: venv ## requests of 1,000 finished jobs, memory after 60 of 10,000 tasks: some 15 minutes; COST="--tasks 1000" for less
	$(PYTHON) -m tests.cost $(COST)
