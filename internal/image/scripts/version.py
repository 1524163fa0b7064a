# Which JupyterHub the image's single-user server is of.
def check():
    import re, shutil, subprocess

    program = shutil.which("jupyterhub-singleuser")
    if not program:
        raise Problem("jupyterhub-singleuser is not on the PATH: install jupyterhub in the image")
    ran = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    said = ran.stdout.decode(errors="replace").strip()
    version = re.search(r"^\d+\.\d+\S*$", said, re.MULTILINE)
    if ran.returncode or not version:
        raise Problem(f"jupyterhub-singleuser --version ended with code {ran.returncode}: {said[-500:]}")
    return version.group()
