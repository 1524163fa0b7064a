# A terminal of Jupyter runs $SHELL, and the tab key completes in it.
def check():
    import os, pty, select, shutil, signal, time

    shell = os.environ.get("SHELL", "")
    if not shell:
        raise Problem("$SHELL is not set: terminals would be a plain sh, in which the tab key completes nothing; write ENV SHELL=/bin/bash into the Dockerfile")
    if not os.path.isabs(shell) or not shutil.which(shell):
        raise Problem(f"$SHELL is {shell}, which is no program of the image: set it to one that is, as /bin/bash")
    pid, line = pty.fork()
    if pid == 0:
        os.execv(shell, [shell])
    said = b""

    def wait(words, why):
        nonlocal said
        end = time.time() + 15
        while words not in said:
            left = end - time.time()
            if left <= 0 or not select.select([line], [], [], left)[0]:
                raise Problem(f"{why}: it says {said[-200:].decode(errors='replace')!r}")
            try:
                said += os.read(line, 4096)
            except OSError:
                raise Problem(f"{shell} ended: it says {said[-200:].decode(errors='replace')!r}")

    try:
        os.write(line, b"echo gauntlet-$((40+2))\n")
        wait(b"gauntlet-42", f"a terminal with {shell} computes nothing")
        said = b""
        os.write(line, b"ls /usr/shar\t")
        wait(b"/usr/share", f"the tab key completes nothing in {shell}: set SHELL=/bin/bash in the Dockerfile")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(line)
    return f"{shell}, and the tab key completes"
