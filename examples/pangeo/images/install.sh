#!/bin/bash
# install.sh LOCK: install what LOCK pins into /opt/env. Runs inside a build,
# with uv from the stage `installer` on the PATH.
#
# Servers run as users who cannot write to /opt/env, so modules are compiled
# here: without it each start would compile them again. Compiled files are bound
# to no timestamp, or a rewrite of timestamps in the layer would void them.
set -euo pipefail
lock=$1
site=/opt/env/lib/python3.11/site-packages

[ -x /opt/env/bin/python ] || python3 -m venv --without-pip /opt/env
mark=$(mktemp)
uv pip install --quiet --python /opt/env/bin/python --require-hashes --no-deps --link-mode copy -r "$lock"

# Test suites, C headers and source maps are of no use to a running server.
find "$site" -type d -name tests -prune -exec rm -rf {} +
rm -rf "$site"/pyarrow/include "$site"/numpy/_core/include
find /opt/env/share "$site" -name '*.js.map' -delete 2>/dev/null || true

# Only what this call brought: an earlier layer's files stay out of this one.
find "$site" -name '*.py' -cnewer "$mark" -print0 |
    xargs -0 --no-run-if-empty -P "$(nproc)" -n 400 \
        /opt/env/bin/python -c '
import py_compile, sys
for path in sys.argv[1:]:
    try:
        py_compile.compile(path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError:
        pass  # templates and code of other Python versions
'
rm "$mark"
