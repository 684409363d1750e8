# Whole jobs in many layouts, by the thousand. Included by the Makefile.
PYTHON ?= .venv/bin/python
JOBS ?= 5000
SEED ?= 0

.PHONY: metamorphic

metamorphic: venv ## run JOBS=5000 drawn jobs, each in several layouts, from seed SEED=0 on
	$(PYTHON) -m tests.metamorphic $(JOBS) $(SEED)
