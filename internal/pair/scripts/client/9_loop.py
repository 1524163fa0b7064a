# Asks and answers, one line each.


def there(module):
    """Whether the notebook has a module."""
    import importlib.util

    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def run(name, timeout):
    result = {}

    def work():
        try:
            result.update(state="passed", message=CHECKS[name](Clock(timeout)))
        except Warned as warning:
            result.update(state="warned", message=str(warning))
        except Problem as problem:
            result.update(state="failed", message=str(problem))
        except BaseException as error:
            kind = type(error).__name__
            words = f"no result in {timeout} s" if "Timeout" in kind else str(error)
            if isinstance(error, ImportError) and error.name and there(error.name):
                words += " (in the notebook it is there)"
            result.update(state="failed", message=f"{kind}: {words}")

    start = time.time()
    if name in CHECKS:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(timeout + 3)
    else:
        result = {"state": "failed", "message": "the client knows no such check"}
    answer = dict(result) or {"state": "failed", "message": f"hangs: no result in {timeout} s"}
    answer["message"] = answer["message"][:2000]
    answer.update(check=name, seconds=round(time.time() - start, 3))
    os.write(OUT, (json.dumps(answer) + "\n").encode())


for line in sys.stdin.buffer:
    asked = json.loads(line)
    run(asked["check"], asked["timeout"])
os._exit(0)
