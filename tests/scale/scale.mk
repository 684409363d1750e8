# Ten thousand pods that only seem to run. Included by the Makefile.
PYTHON ?= .venv/bin/python
SCALE ?=

.PHONY: scale

scale: venv cluster-prepare ## jobs of ten thousand tasks, and a thousand jobs, on fake nodes; SCALE="--only 1,000" for less
	$(PYTHON) -m tests.scale $(SCALE)
