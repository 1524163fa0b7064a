#!/bin/bash
# lock.sh [uv option...]: resolve every *.in here, in ../hub and in ../dask-operator to the *.lock
# beside it. The notebook, the largest set, is resolved first; worker, hub and
# operator are held to its versions. `lock.sh --upgrade` takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")"

compile() {
    uv pip compile --quiet --no-header --generate-hashes --only-binary :all: \
        --python-version 3.11 --python-platform x86_64-manylinux_2_36 "$@"
}

compile "$@" installer.in --output-file installer.lock
compile "$@" notebook.in --output-file notebook.lock
compile "$@" environment.in --constraints notebook.lock --output-file environment.lock
compile "$@" ../hub/hub.in --constraints notebook.lock --output-file ../hub/hub.lock
compile "$@" ../dask-operator/operator.in --constraints notebook.lock --output-file ../dask-operator/operator.lock
