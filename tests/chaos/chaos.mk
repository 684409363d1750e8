# One job under every fault, on a real cluster of two nodes. Included by the Makefile.
PYTHON ?= .venv/bin/python
CHAOS ?=

.PHONY: chaos chaos-pipelines chaos-applications

chaos: venv cluster-prepare ## a job under every fault, on a cluster of two nodes; CHAOS="--only node" for less
	$(PYTHON) -m tests.chaos $(CHAOS)

chaos-pipelines: venv cluster-prepare ## the example pipelines with their operator killed every ten seconds; CHAOS="--only web"
	$(PYTHON) -m tests.chaos.pipelines $(CHAOS)

chaos-applications: venv cluster-prepare ## the applications on a cluster, one pod of each killed; CHAOS="--only risk"
	$(PYTHON) -m tests.chaos.applications $(CHAOS)
