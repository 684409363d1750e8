# The searches of the tests, for hours. Included by the Makefile.
PYTHON ?= .venv/bin/python
PROPERTIES ?=
MINUTES ?= 60

.PHONY: properties

properties: venv ## search for exceptions to PROPERTIES="layout programs input memory plans", MINUTES=60 each
	$(PYTHON) -m tests.properties $(PROPERTIES) --minutes $(MINUTES)
