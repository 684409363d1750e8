# Small changes of the runtime and the policy that a test should notice. Included by the Makefile.
PYTHON ?= .venv/bin/python
MODULES ?=

.PHONY: mutants

mutants: venv ## try the mutants of MODULES="encoding.merge policy.waves …", all that are listed by default; takes hours
	$(PYTHON) -m tests.mutants $(MODULES)
