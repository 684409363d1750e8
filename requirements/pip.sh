#!/bin/sh
# The runtime image's `pip`: it installs beside podreduce and not beside the system's Python. The base image's pip does
# it, or where that has none, one that Python brings along. It is for `RUN pip install` in an image that is built on this
# one: a pod's root is read-only, and so are its packages.
environment=/opt/podreduce
python="$environment/bin/python"
if [ "${1:-}" = install ] && ! [ -w "$environment/lib" ]; then
    echo "pip: the packages of this image are root's: put USER 0 before RUN pip install, and USER 65532:65532 after it" >&2
    exit 1
fi
system="$(readlink -f "$python")"
if "$system" -m pip --version > /dev/null 2>&1; then
    exec "$system" -m pip --python "$python" "$@"
fi
"$python" -m pip --version > /dev/null 2>&1 || "$python" -m ensurepip > /dev/null
exec "$python" -m pip "$@"
