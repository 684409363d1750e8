# The test cluster and MinIO by hand, and the images. Included by the Makefile.
PYTHON ?= .venv/bin/python

.PHONY: cluster-up cluster-down cluster-status minio images lock

cluster-up: ## a real cluster on this machine; prints the KUBECONFIG
	$(PYTHON) -m tests.cluster up

cluster-down: ## take that cluster down, with everything it holds
	$(PYTHON) -m tests.cluster down

cluster-status:
	$(PYTHON) -m tests.cluster status

minio: ## a MinIO on loopback until Ctrl-C; prints endpoint and credentials
	$(PYTHON) -m tests.cluster minio

images: ## build the images of the present sources, and load them into the cluster where it is up
	$(PYTHON) -m tests.cluster images

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock: ## renew the lock files (needs uv)
	$(COMPILE) pyproject.toml --extra cli --extra operator --extra test --output-file requirements.lock
	$(COMPILE) pyproject.toml --no-annotate --constraint requirements.lock --output-file requirements/runtime.lock
	$(COMPILE) pyproject.toml --no-annotate --constraint requirements.lock --extra operator \
	  --output-file requirements/operator.lock
	$(COMPILE) requirements/build.in --no-annotate --output-file requirements/build.lock
