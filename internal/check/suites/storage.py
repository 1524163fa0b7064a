"""Runs in a user's kernel, and partly on a worker: finds out whether a mount or a bucket
is there, and whether what one side writes the other reads. A store is {"mount": path} or
{"url": url, "options": {...}}; all is done in a folder of the probe's own."""

import json
import os


def open_store(store):
    """The file system of a store, and its root in it. Nothing is remembered of before."""
    import fsspec

    if store.get("mount"):
        return fsspec.filesystem("file"), store["mount"]
    fs, root = fsspec.core.url_to_fs(store["url"], skip_instance_cache=True, use_listings_cache=False, **(store.get("options") or {}))
    return fs, root


def there(store):
    """What the store is; raises unless it is really there."""
    if store.get("mount"):
        path = os.path.realpath(store["mount"])
        with open("/proc/self/mountinfo") as f:
            for line in f:
                before, after = line.split(" - ", 1)
                if before.split()[4].replace("\\040", " ") == path:
                    kind = after.split()[0]
                    try:
                        os.listdir(path)
                    except OSError as e:
                        raise OSError(f"{store['mount']} is a mount of {kind} that cannot be read ({e.strerror}): the program that mounts it has ended") from None
                    return kind
        kind = "a folder of the image or of the home" if os.path.isdir(path) else "nothing"
        raise FileNotFoundError(f"{store['mount']} is no mount but {kind}: the program that mounts it has not run, or has failed")
    fs, root = open_store(store)
    bucket = root.split("/", 1)[0]
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    try:
        fs.ls(bucket)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no bucket {bucket}, or it may not be listed") from None
    # A server that takes every bucket for there would prove nothing.
    try:
        fs.ls("gauntlet-probe-no-such-bucket-0f6b")
    except Exception:
        return protocol
    raise AssertionError(f"{protocol} lists a bucket that does not exist: whether {bucket} exists cannot be known")


def write(store, folder, name, text):
    fs, root = open_store(store)
    at = f"{root}/{folder}"
    fs.makedirs(at, exist_ok=True)
    with fs.open(f"{at}/{name}", "w") as f:
        f.write(text)


def read(store, folder, name):
    fs, root = open_store(store)
    with fs.open(f"{root}/{folder}/{name}") as f:
        return f.read().decode()


def keeps(store, folder, text):
    """Writes a file in the notebook, and reads and lists it."""
    write(store, folder, "notebook", text)
    got = read(store, folder, "notebook")
    assert got == text, f"{len(text)} characters were written, and other {len(got)} are read"
    fs, root = open_store(store)
    names = [os.path.basename(p if isinstance(p, str) else p["name"]) for p in fs.ls(f"{root}/{folder}")]
    assert "notebook" in names, f"what was written is not listed: {names[:5]}"


def on_worker(function, *args):
    return client.submit(function, *args, pure=False).result(timeout=60)


def crosses(store, folder, text):
    """A worker has the store, reads what the notebook wrote, and the other way round."""
    kind = on_worker(there, store)
    got = on_worker(read, store, folder, "notebook")
    assert got == text, f"a worker reads other {len(got)} characters than the {len(text)} that the notebook wrote"
    on_worker(write, store, folder, "worker", text[::-1])
    got = read(store, folder, "worker")
    assert got == text[::-1], f"the notebook reads other {len(got)} characters than the {len(text)} that a worker wrote"
    print(json.dumps({"kind": kind}))


def dask_works(store, folder):
    """Dask writes and reads many files, by its workers."""
    import dask.bag

    at, options = (store["mount"], {}) if store.get("mount") else (store["url"].rstrip("/"), store.get("options") or {})
    bag = dask.bag.from_sequence(range(100), npartitions=4).map(str)
    bag.to_textfiles(f"{at}/{folder}/dask-*.txt", storage_options=options)
    got = dask.bag.read_text(f"{at}/{folder}/dask-*.txt", storage_options=options).map(int).sum().compute()
    assert got == 4950, f"the sum of what was written is 4950, of what is read {got}"


def clean(store, folder):
    fs, root = open_store(store)
    if fs.exists(f"{root}/{folder}"):
        fs.rm(f"{root}/{folder}", recursive=True)
    fs, root = open_store(store)
    assert not fs.exists(f"{root}/{folder}/notebook"), "it is removed, and still there"
