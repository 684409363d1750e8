# Three images from one file: `runtime` runs a job's tasks, `apps` those of the applications as well, `operator` runs the
# controller. Build with docker, podman or buildah: `docker build --target runtime -t podreduce-runtime .`
# All run as user 65532 with a read-only root; they write to /tmp only.
#
# The base is named by its tag, so that a build takes the newest security fixes and works wherever an image of that name
# is. For a build that can be repeated to the byte, pin it by the digest that your registry serves:
#   digest=$(docker buildx imagetools inspect python:3.13-slim --format '{{.Manifest.Digest}}')
#   docker build --build-arg BASE=python:3.13-slim@$digest --target runtime -t podreduce-runtime .
ARG BASE=python:3.13-slim

FROM ${BASE} AS tools
COPY requirements/build.lock /requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/tools && /opt/tools/bin/pip install --require-hashes --requirement /requirements/build.lock

# The pip of `tools` installs into an environment without one: the `pip` there is a script that finds one for images that
# are built on these. The project itself goes to a directory of its own, named by a .pth file: its layer
# is small and the only one a change of source makes anew.
FROM tools AS dependencies
COPY requirements/runtime.lock requirements/pip.sh /requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv --without-pip /opt/podreduce \
    && /opt/tools/bin/pip --python /opt/podreduce/bin/python install --require-hashes --compile \
       --requirement /requirements/runtime.lock \
    && printf '/opt/podreduce/project\n/opt/podreduce/operator\n/opt/podreduce/apps\n' > \
       "$(/opt/podreduce/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/podreduce.pth" \
    && install -m 755 /requirements/pip.sh /opt/podreduce/bin/pip

# What the operator needs beyond the runtime, in a directory and so a layer of its own.
FROM tools AS operator-dependencies
COPY requirements/operator.lock /requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/tools/bin/pip install --require-hashes --no-deps --compile --target /opt/podreduce/operator \
       --requirement /requirements/operator.lock

# What the applications need beyond the runtime, likewise.
FROM tools AS apps-dependencies
COPY requirements/apps.lock /requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/tools/bin/pip install --require-hashes --no-deps --compile --target /opt/podreduce/apps \
       --requirement /requirements/apps.lock

FROM tools AS project
COPY pyproject.toml README.md LICENSE /source/
COPY crds /source/crds
COPY runtime /source/runtime
COPY operator /source/operator
COPY examples/applications /source/examples/applications
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels /source \
    && /opt/tools/bin/pip install --no-deps --no-index --no-compile --target /project /wheels/*.whl \
    && /opt/tools/bin/python -m compileall -q --invalidation-mode unchecked-hash \
       -s /project -p /opt/podreduce/project /project

FROM ${BASE} AS base
ENV PATH=/opt/podreduce/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONHASHSEED=0 HOME=/tmp
WORKDIR /tmp
USER 65532:65532

FROM base AS runtime-base
COPY --from=dependencies /opt/podreduce /opt/podreduce

FROM runtime-base AS runtime
COPY --from=project /project /opt/podreduce/project
ENTRYPOINT ["/opt/podreduce/bin/python", "-P", "-m", "podreduce"]

FROM runtime-base AS apps
COPY --from=apps-dependencies /opt/podreduce/apps /opt/podreduce/apps
COPY --from=project /project /opt/podreduce/project
ENTRYPOINT ["/opt/podreduce/bin/python", "-P", "-m", "podreduce"]

FROM runtime-base AS operator
COPY --from=operator-dependencies /opt/podreduce/operator /opt/podreduce/operator
COPY --from=project /project /opt/podreduce/project
ENTRYPOINT ["/opt/podreduce/bin/python", "-m", "podreduce_operator"]
