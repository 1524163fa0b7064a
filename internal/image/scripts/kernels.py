# Every kernel that users can choose starts and computes.
def check():
    import time

    try:
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import start_new_kernel
    except ImportError as error:
        raise Problem(f"no jupyter_client, so no kernels: {error}")
    # A cell and what it shows, by the kernel's language; of others only that they start.
    cells = {"python": ("1 + 1", "2"), "r": ("1 + 1", "2"), "julia": ("1 + 1", "2"), "octave": ("1 + 1", "2"), "bash": ("echo 2", "2")}
    found = KernelSpecManager().get_all_specs()
    if not found:
        raise Problem("it has no kernel: jupyter kernelspec list is empty")
    told, faults = [], []
    for name in sorted(found):
        language = found[name]["spec"].get("language", "").lower()
        start = time.time()
        try:
            manager, client = start_new_kernel(kernel_name=name, startup_timeout=60)
        except Exception as error:
            faults.append(f"kernel {name} does not start ({type(error).__name__}: {error}): mend its kernel.json, or take it out of the image")
            continue
        started, shown = time.time() - start, []
        try:
            if language in cells:
                code, want = cells[language]

                def keep(message):
                    content = message["content"]
                    shown.append(content.get("data", {}).get("text/plain", "") or content.get("text", ""))

                reply = client.execute_interactive(code, timeout=30, output_hook=keep, allow_stdin=False)["content"]
                if reply["status"] != "ok":
                    faults.append(f"kernel {name}: {code} ended with {reply.get('ename')}: {reply.get('evalue')}")
                elif want not in " ".join(shown):
                    faults.append(f"kernel {name}: {code} gave {shown}")
            told.append(f"{name} in {started:.1f} s")
        except Exception as error:
            faults.append(f"kernel {name} does not answer ({type(error).__name__}: {error})")
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    if faults:
        raise Problem("; ".join(faults))
    return "started and computed: " + ", ".join(told)
