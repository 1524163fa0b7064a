# The tab key completes names in a cell: jedi and IPython are of versions that work
# together. Some are not, and then it completes nothing, or to everything there is.
def check():
    import time

    try:
        from jupyter_client.manager import start_new_kernel
    except ImportError as error:
        raise Problem(f"no jupyter_client, so no kernels: {error}")

    def version(package):
        import importlib.metadata

        try:
            return f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            return f"no {package}"

    def has(module):
        import importlib.util

        return importlib.util.find_spec(module) is not None

    blame = f"{version('ipython')} and {version('jedi')} do not work together, or a configuration of IPython switches completion off"
    manager, client = start_new_kernel(startup_timeout=60)
    try:
        start = time.time()

        def complete(code):
            try:
                reply = client.complete(code, len(code), reply=True, timeout=60)["content"]
            except Exception as error:
                raise Problem(f"completion of {code!r} gave no answer ({type(error).__name__}: {error}): {blame}")
            begin, end = reply.get("cursor_start", 0), reply.get("cursor_end", 0)
            # What the line would be. The status says ok even when nothing works.
            return [code[:begin] + match + code[end:] for match in reply.get("matches", [])]

        # Not run before: only jedi, which reads code, knows what os is. Its first answers
        # on a busy node may come too late for IPython, which then goes without. That the
        # kernel computes first takes what else is slow at its start out of the time.
        client.execute_interactive("import jedi" if has("jedi") else "1", timeout=60, output_hook=lambda _: None, allow_stdin=False)
        code, lines, end = "import os; os.pa", [], time.time() + 15
        while not lines and time.time() < end:
            lines = complete(code)
        if not lines:
            raise Problem(f"completion of {code!r} gives nothing: {blame}")
        if code + "th" not in lines:
            raise Problem(f"completion of {code!r} does not give os.path but {', '.join(lines[:3])}: {blame}")
        stray = [line for line in lines if not line.startswith(code)]
        if len(stray) > len(lines) / 2:
            raise Problem(f"completion of {code!r} gives all names there are ({len(lines)}): {blame}")
        client.execute_interactive("gauntlet_levels = [1, 2]", timeout=30, output_hook=lambda _: None, allow_stdin=False)
        if "gauntlet_levels" not in complete("gauntlet_le"):
            raise Problem(f"completion does not know a variable of the user's: {blame}")
        took = time.time() - start
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return f"os.pa completes to {len(lines)} names and a variable to its own, in {took:.1f} s ({version('ipython')}, {version('jedi')})"
