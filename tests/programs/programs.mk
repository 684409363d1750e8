# Programs as written and as rewritten, by the thousand. Included by the Makefile.
PYTHON ?= .venv/bin/python
PROGRAMS ?= 20000
SEED ?= 0

.PHONY: programs

programs: venv ## run PROGRAMS=20000 map programs as written and as rewritten, from seed SEED=0 on
	$(PYTHON) -m tests.programs $(PROGRAMS) $(SEED)
