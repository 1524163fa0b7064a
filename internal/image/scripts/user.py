# The image runs as a user of its own who can write to a home of its own.
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
    return f"user {uid}, home {home}"
