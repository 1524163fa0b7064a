# What the sources of the image declare can be imported. The names are those of
# distributions; which modules they bring they say themselves.
def check(*names):
    import importlib, importlib.metadata, sys, time

    start, failed, imported, silent, elsewhere = time.time(), [], 0, 0, 0
    for name in names:
        try:
            files = importlib.metadata.distribution(name).files or []
        except importlib.metadata.PackageNotFoundError:
            elsewhere += 1  # of conda or Debian, or in another environment
            continue
        modules = set()
        for file in files:
            if len(file.parts) == 1 and file.suffix == ".py":
                modules.add(file.stem)
            elif len(file.parts) == 2 and file.name == "__init__.py":
                modules.add(file.parts[0])
            elif len(file.parts) == 1 and file.name.endswith(".so"):
                modules.add(file.name.split(".")[0])
        modules = sorted(m for m in modules if m.isidentifier() and not m.startswith("_") and m not in ("tests", "test", "docs", "examples", "scripts"))
        if not modules:
            silent += 1
            continue
        for module in modules:
            print("importing", module, "of", name, file=sys.stderr, flush=True)  # names the culprit of a crash
            try:
                importlib.import_module(module)
            except BaseException as error:
                failed.append(f"{module} of {name} ({type(error).__name__}: {error})")
        imported += 1
    if failed:
        raise Problem(f"{len(failed)} modules of what the sources declare cannot be imported: " + ", ".join(failed))
    more = [f"{n} {words}" for n, words in ((silent, "bring no module"), (elsewhere, "are not Python's or in another environment")) if n]
    return f"{imported} of {len(names)} packages import, in {time.time() - start:.1f} s" + (f"; {', '.join(more)}" if more else "")
