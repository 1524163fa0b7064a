# Every module that gauntlet.yaml promises can be imported.
def check(*modules):
    import importlib, sys, time

    start, failed = time.time(), []
    for name in modules:
        print("importing", name, file=sys.stderr, flush=True)  # names the culprit of a crash
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed.append(f"{name} ({type(error).__name__}: {error})")
    if failed:
        raise Problem(f"{len(failed)} of {len(modules)} cannot be imported: " + ", ".join(failed))
    return f"{len(modules)} modules in {time.time() - start:.1f} s"
