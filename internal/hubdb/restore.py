"""Puts a copy of a hub's SQLite database back, while no hub runs, and prints what came of
it as JSON: RESTORE STAMP FOLDER... With LOOK in place of RESTORE nothing is changed; then a
hub may run. The database that was there is kept beside it. What is done already is not
done again."""

import glob
import json
import os
import shutil
import sqlite3
import sys

MARK = ".gauntlet-"


def one(folders, stamp):
    """The copy with this stamp."""
    found = {p for f in folders for p in glob.glob(os.path.join(glob.escape(f), "*" + MARK + stamp))}
    if len(found) != 1:
        raise SystemExit(f"no copy *{MARK}{stamp} in " + ", ".join(folders) if not found else "which copy? " + ", ".join(sorted(found)))
    return found.pop()


def ask(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
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


what, stamp, folders = sys.argv[1], sys.argv[2], sys.argv[3:]
copy = one(folders, stamp)
path = copy[: -len(MARK + stamp)]
kept, half = f"{path}.migrated-{stamp}", path + ".half"
state = ask(copy, "PRAGMA integrity_check")[0][0]
if state != "ok":
    raise SystemExit(f"the copy {copy} is damaged: {state}")
out = {"file": copy, "kept": "", "users": [], "servers": []}
there = os.path.exists(path)
if not there or schema(path) != schema(copy):
    current = path if there else kept
    if os.path.exists(current):
        out["users"] = sorted(users(current) - users(copy))
        out["servers"] = sorted(servers(current) - servers(copy))
    out["kept"] = kept
    if what == "RESTORE":
        if there:
            db = sqlite3.connect(path)  # takes in what a hub that was killed has left beside it
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("SELECT count(*) FROM users").fetchone()
            db.close()
        shutil.copy2(copy, half)
        with open(half, "rb") as f:
            os.fsync(f.fileno())
        if there:
            os.replace(path, kept)
        os.replace(half, path)
print("GAUNTLET " + json.dumps(out))
