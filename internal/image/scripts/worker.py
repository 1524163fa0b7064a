# The image can be a Dask worker.
def check():
    import platform, shutil, subprocess, sys

    try:
        import distributed
    except ImportError as error:
        raise Problem(f"distributed cannot be imported: {error}")
    # The subcommand came with dask 2022.10; the older program goes on for now.
    command = [shutil.which("dask") or "", "worker"] if shutil.which("dask") else [shutil.which("dask-worker") or ""]
    if not command[0]:
        raise Problem("neither dask nor dask-worker is on the PATH")
    ran = subprocess.run(command + ["--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    said = ran.stdout.decode(errors="replace").strip()
    if ran.returncode:
        raise Problem(f"{' '.join(command)} --version ended with code {ran.returncode}: {said.splitlines()[-1:]}")
    return f"Python {platform.python_version()}, distributed {distributed.__version__}"
