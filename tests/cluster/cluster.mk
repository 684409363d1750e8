# The test cluster and MinIO by hand, and the images. Included by the Makefile.
PYTHON ?= .venv/bin/python

.PHONY: cluster-prepare cluster-up cluster-down cluster-status minio images apps-image kueue lock

cluster-prepare: venv ## build what the tests need on this machine (once; half an hour where Kubernetes is built)
	$(PYTHON) -m tests.cluster prepare

cluster-up: venv ## a real cluster on this machine; prints the KUBECONFIG
	$(PYTHON) -m tests.cluster up

cluster-down: venv ## take that cluster down, with everything it holds
	$(PYTHON) -m tests.cluster down

cluster-status: venv ## what runs of that cluster
	$(PYTHON) -m tests.cluster status

minio: venv ## a MinIO on loopback until Ctrl-C; prints endpoint and credentials
	$(PYTHON) -m tests.cluster minio

images: venv ## build the images of the present sources, and load them into the cluster where it is up
	$(PYTHON) -m tests.cluster images

apps-image: venv ## build the image of the applications, and load it into the cluster where it is up
	$(PYTHON) -m tests.cluster apps_image

kueue: venv cluster-prepare ## jobs in the queues of a real Kueue, which is built for it (once; some minutes)
	$(PYTHON) -m tests.cluster build kueue
	$(PYTHON) -m pytest -m kueue tests/e2e/test_kueue.py

.PHONY: kind kind-up kind-down

kind-up: venv ## Docker and a kind cluster: the machine's own, or built here (once; half an hour)
	$(PYTHON) -m tests.cluster.kind up

kind-down: venv ## remove that cluster, and the engine where it was built here
	$(PYTHON) -m tests.cluster.kind down

kind: venv ## the quick start as written and the e2e tests on kind; then nothing of it is left
	$(PYTHON) -m pytest -m kind --capture=no --durations=0 tests/kind $(KIND)

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
IN_IMAGES = $(COMPILE) --no-annotate --constraint requirements.lock
# typing-extensions is in the runtime's image below Python 3.13 only; the operator needs it always.
IN_RUNTIME = $(filter-out typing-extensions,$(shell grep --only-matching --extended-regexp '^[a-z0-9-]+==' requirements/runtime.lock | tr -d = | sort -u))

lock: ## renew the lock files (needs uv)
	$(COMPILE) pyproject.toml --extra cli --extra operator --extra test --extra apps --output-file requirements.lock
	$(IN_IMAGES) pyproject.toml --output-file requirements/runtime.lock
	$(MAKE) lock-operator lock-apps
	$(COMPILE) requirements/build.in --no-annotate --output-file requirements/build.lock

# What the operator and the applications need beyond the runtime: their images are built on the runtime's layers.
.PHONY: lock-operator lock-apps
lock-operator lock-apps: lock-%:
	$(IN_IMAGES) pyproject.toml --extra $* $(addprefix --no-emit-package ,$(IN_RUNTIME)) --output-file requirements/$*.lock
