"""Puts a copy of a hub's SQLite database back, while no hub runs, and prints what came of
it as JSON: RESTORE STAMP,... FOLDER... With LOOK in place of RESTORE nothing is changed; then a
hub may run. The first stamp is that of the copy from before the first migration; of the
others, the oldest first, that one is put back which is the newest with the same schema.
The database that was there is kept beside it. What is done already is not done again."""

import glob
import json
import os
import shutil
import sqlite3
import sys

MARK = ".gauntlet-"
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps of a database in files of their own


def find(folders, stamp):
    """The copy with this stamp, which is whole."""
    found = {p for f in folders for p in glob.glob(os.path.join(glob.escape(f), "*" + MARK + stamp))}
    if len(found) != 1:
        raise SystemExit(f"no copy *{MARK}{stamp} in " + ", ".join(folders) if not found else "which copy? " + ", ".join(sorted(found)))
    copy = found.pop()
    try:
        state = ask(copy, "PRAGMA integrity_check")[0][0]
    except sqlite3.DatabaseError as e:
        state = str(e)
    if state != "ok":
        raise SystemExit(f"the copy {copy} is damaged: {state}")
    return copy


def ask(path, sql):
    # Nobody writes a copy. Without saying so SQLite would leave files of its own beside it.
    how = "immutable=1" if MARK in path else "mode=ro"
    db = sqlite3.connect(f"file:{path}?{how}", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def schema(path):
    return sorted(ask(path, "SELECT version_num FROM alembic_version"))


def users(path):
    return {name for (name,) in ask(path, "SELECT name FROM users")}


def servers(path):
    rows = ask(path, "SELECT u.name, s.name FROM spawners s JOIN users u ON u.id = s.user_id WHERE s.server_id IS NOT NULL")
    return {user + "/" + (server or "") for user, server in rows}


def choose(folders, stamps):
    """The newest copy that has the schema of the first."""
    first = copy = find(folders, stamps[0])
    for stamp in stamps[1:]:
        try:
            later = find(folders, stamp)
        except SystemExit:
            continue  # the older one does as well
        if schema(later) == schema(first):
            copy = later
    return copy


def free(path):
    """A name that nothing has: what was kept once is never overwritten."""
    name, n = path, 1
    while os.path.exists(name):
        n += 1
        name = f"{path}-{n}"
    return name


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


what, stamps, folders = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
copy = choose(folders, stamps)
path, _, stamp = copy.rpartition(MARK)
out = {"file": copy, "kept": "", "users": [], "servers": []}
there = os.path.exists(path)
if not there or schema(path) != schema(copy):
    if there:
        kept = free(f"{path}.migrated-{stamp}")
    else:  # a run was killed after it had put the migrated database aside
        aside = [p for p in glob.glob(glob.escape(f"{path}.migrated-{stamp}") + "*") if not p.endswith(BESIDE)]
        if not aside:
            raise SystemExit(f"neither {path} is there nor what was kept of it")
        kept = max(aside, key=os.path.getctime)
    current = path if there else kept
    out["users"] = sorted(users(current) - users(copy))
    out["servers"] = sorted(servers(current) - servers(copy))
    out["kept"] = kept
    if what == "RESTORE":
        half = path + ".half"
        if there:
            db = sqlite3.connect(path)  # takes in what a hub that was killed has left beside it
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("SELECT count(*) FROM users").fetchone()
            db.close()
        try:
            shutil.copy2(copy, half)
        except OSError as e:
            if os.path.exists(half):
                os.remove(half)  # the volume may be full
            raise SystemExit(f"copy {copy}: {e.strerror}")
        sync(half)
        if there:
            os.replace(path, kept)
        for end in BESIDE:  # they are of the migrated one, and would spoil the copy
            if os.path.exists(path + end):
                os.replace(path + end, kept + end)
        os.replace(half, path)
        sync(os.path.dirname(path))
print("GAUNTLET " + json.dumps(out))
