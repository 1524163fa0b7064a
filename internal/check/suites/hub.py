"""Runs in a user's kernel: the first line must be 42, the second is for people."""

import platform
from importlib.metadata import PackageNotFoundError, version


def found(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


print(6 * 7)
print(", ".join([f"Python {platform.python_version()}", found("jupyterhub"), found("ipykernel"), found("dask")]))
