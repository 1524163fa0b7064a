# Runs one file that people gave as a test: reads one line of JSON with all files and
# which to run, and prints one line of JSON with what came out.
import base64, json, os, shutil, subprocess, sys, tempfile, threading

OUT = os.dup(1)
os.dup2(2, 1)  # what the tests print must not mix with the answer

LINES = 40  # of a script's or a test's output that are looked at for its last words


class Failure(Exception):
    """What failed, in words for people."""


def last(text, default):
    lines = [line.strip() for line in text.splitlines()[-LINES:] if line.strip()]
    return lines[-1] if lines else default


def times(count, what):
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def script(path, folder):
    with open(path, "rb") as f:
        direct = f.read(2) == b"#!"
    code, said = run([path] if direct else ["bash", path], folder)
    if code:
        raise Failure(f"it ended with code {code}: {last(said, 'without a word')}")
    return last(said, "ended with code 0")


def pytest(path, folder):
    import importlib.util
    import xml.etree.ElementTree as tree

    if importlib.util.find_spec("pytest") is None:
        raise Failure("the image has no pytest: add it, or make the file a script")
    report = os.path.join(folder, "gauntlet-report.xml")
    code, said = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report, path], folder)
    if not os.path.exists(report):
        raise Failure(f"pytest ended with code {code} and without a report: {last(said, 'without a word')}")
    cases = list(tree.parse(report).getroot().iter("testcase"))
    failed, skipped = [], 0
    for case in cases:
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                # Of a file that cannot be read the message says only that.
                marked = [line[1:].strip() for line in (found.text or "").splitlines() if line.startswith("E ")]
                failed.append(f"{case.get('name')}: {marked[-1] if kind == 'error' and marked else found.get('message')}")
        skipped += case.find("skipped") is not None
    if failed:
        raise Failure(f"{len(failed)} of {times(len(cases), 'test')} failed: " + "; ".join(failed[:3]) + (" and more" if len(failed) > 3 else ""))
    if code == 5 or not cases:
        raise Failure("pytest found no test in it: its functions must be named test_*")
    if code:
        raise Failure(f"pytest ended with code {code}: {last(said, 'without a word')}")
    if skipped == len(cases):
        raise Failure(f"every test of it was skipped ({skipped}): nothing was tested")
    return f"{times(len(cases) - skipped, 'test')} passed" + (f", {skipped} skipped" if skipped else "")


def notebook(path, folder):
    try:
        from jupyter_client.manager import start_new_kernel
    except ImportError:
        raise Failure("the image has no jupyter_client, which runs notebooks: give this file to the notebook's image")
    try:
        with open(path, encoding="utf-8") as f:
            book = json.load(f)
        cells = [(i, "".join(c["source"]), c.get("metadata", {}).get("tags", [])) for i, c in enumerate(book["cells"], 1) if c["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"it is no notebook of format 4: {type(error).__name__}: {error}")
    cells = [(i, source, tags) for i, source, tags in cells if source.strip()]
    if not cells:
        raise Failure("it has no code cell: nothing was tested")
    name = book.get("metadata", {}).get("kernelspec", {}).get("name", "python3")
    try:
        manager, client = start_new_kernel(kernel_name=name, startup_timeout=60, cwd=folder)
    except Exception as error:
        raise Failure(f"its kernel {name} does not start: {type(error).__name__}: {error}")
    try:
        for i, source, tags in cells:
            reply = execute(manager, client, source, f"cell {i}")
            # As nbclient and Jupyter Book have it, such a cell is expected to fail.
            if reply["status"] != "ok" and "raises-exception" not in tags:
                raise Failure(f"cell {i} failed: {reply.get('ename', reply['status'])}: {reply.get('evalue', '')}")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return f"{times(len(cells), 'cell')} ran"


def execute(manager, client, source, what):
    """What a kernel answers to a cell. A kernel that dies answers nothing."""
    found = {}

    def work():
        try:
            found.update(client.execute_interactive(source, output_hook=lambda _: None, allow_stdin=False)["content"])
        except Exception as error:
            found.update(status="error", ename=type(error).__name__, evalue=str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        if not manager.is_alive():
            raise Failure(f"{what}: its kernel died")
        thread.join(0.2)
    return found


def main():
    order = json.loads(sys.stdin.buffer.readline())
    os.environ.update(order["env"] or {})
    folder = tempfile.mkdtemp(prefix="gauntlet-test-")
    try:
        for f in order["files"]:
            path = os.path.join(folder, os.path.basename(f["name"]))
            with open(path, "wb") as out:
                out.write(base64.b64decode(f["data"] or ""))
            os.chmod(path, 0o700)
        answer = {"ok": True, "message": {"pytest": pytest, "notebook": notebook, "script": script}[order["kind"]](os.path.join(folder, order["run"]), folder)}
    except Failure as failure:
        answer = {"ok": False, "message": str(failure)}
    except Exception as error:
        answer = {"ok": False, "message": f"{type(error).__name__}: {error}"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    answer["message"] = answer["message"][:2000]
    os.write(OUT, (json.dumps(answer) + "\n").encode())
    os._exit(0)  # a thread that waits for a dead kernel would keep it


main()
