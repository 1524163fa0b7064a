# Runs first in every pod of a pairing: prints what its image holds, as one line of
# JSON after a mark, and becomes Dask's scheduler or a worker, or waits for the client
# to be started beside it. The line is in the pod's log even when what follows dies at
# once.
import importlib.metadata, json, os, platform, signal, sys

packages = {}
for found in importlib.metadata.distributions():
    name, version = found.metadata["Name"], found.version
    # The first on the path is the one that is imported.
    if name and version:
        packages.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)
print("gauntlet-facts " + json.dumps({"python": platform.python_version(), "packages": packages}), flush=True)

role, arguments = sys.argv[1], sys.argv[2:]
if role == "client":
    signal.pause()
os.execv(sys.executable, [sys.executable, "-m", "distributed.cli.dask_" + role] + arguments)
