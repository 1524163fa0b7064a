# Comes after one of the other scripts, which defines check(*arguments): runs it
# and prints one line of JSON, {"ok": ..., "message": ...}, and nothing else.


def _answer():
    import json, os, sys

    # What libraries print must not mix with the answer.
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = {"ok": True, "message": check(*sys.argv[1:])}
    except Problem as problem:
        answer = {"ok": False, "message": str(problem)}
    except BaseException as error:
        answer = {"ok": False, "message": f"{type(error).__name__}: {error}"}
    os.write(out, (json.dumps(answer) + "\n").encode())
    os._exit(0)  # whatever threads a library has left running


class Problem(Exception):
    """What is wrong, in words for people."""


_answer()
