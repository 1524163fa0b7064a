# The image runs as a user of its own who can write to a home of its own, everywhere in
# it: a ~/.cache that a step of the build left to root breaks things far from it, such as
# completion.
def check():
    import os, tempfile

    uid = os.getuid()
    if uid == 0:
        raise Problem("it runs as root: end its Dockerfile with USER and a user of its own")
    home = os.environ.get("HOME", "")
    if home in ("", "/", "/root"):
        raise Problem(f"HOME is {home!r}: set it in the Dockerfile (ENV HOME=/home/...)")
    try:
        with tempfile.NamedTemporaryFile(dir=home) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        raise Problem(f"user {uid} cannot write to its home {home}: {error}")
    locked = []
    for top, folders, files in os.walk(home):
        locked += [os.path.join(top, name) for name in folders if not os.access(os.path.join(top, name), os.W_OK | os.X_OK)]
        locked += [os.path.join(top, name) for name in files if not os.access(os.path.join(top, name), os.R_OK)]
        if len(locked) > 20:
            break
    if locked:
        more = f" and {len(locked) - 3} more" if locked[3:] else ""
        raise Problem(f"user {uid} may not use {', '.join(locked[:3])}{more} in its home: the build made them as another user; "
                      f"give them to {uid} in the Dockerfile, in the same RUN")
    return f"user {uid}, home {home}"
