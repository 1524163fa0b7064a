# The default kernel starts and computes.
def check():
    import time

    try:
        from jupyter_client.manager import start_new_kernel
    except ImportError as error:
        raise Problem(f"no jupyter_client, so no kernels: {error}")
    start = time.time()
    manager, client = start_new_kernel(startup_timeout=60)
    try:
        started = time.time() - start
        results = []

        def keep(message):
            if message["msg_type"] in ("execute_result", "error"):
                results.append(message["content"])

        reply = client.execute_interactive("1 + 1", timeout=30, output_hook=keep, allow_stdin=False)
        if reply["content"]["status"] != "ok":
            raise Problem(f"1 + 1 ended with {reply['content'].get('ename')}: {reply['content'].get('evalue')}")
        texts = [r.get("data", {}).get("text/plain") for r in results]
        if texts != ["2"]:
            raise Problem(f"1 + 1 gave {texts}")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return f"started in {started:.1f} s, 1 + 1 is 2"
