"""Waits until the image puller is ready on every node it is meant for.

Runs as a hook before an upgrade. Says on every change which nodes are awaited
and why, and ends with 1 when the time is up or no node was wanted at all: an
upgrade must not go on believing in images that nobody pulled.

    await_images.py NAMESPACE DAEMONSET SECONDS
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def get(path):
    # The token is read each time: it is renewed while we run.
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    request = urllib.request.Request(
        f"https://{host}:{port}{path}",
        headers={"Authorization": "Bearer " + (ACCOUNT / "token").read_text()},
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
        return json.load(answer)


def reasons(pods):
    """One line for each pod that is not ready: its node and what holds it up."""
    for pod in pods:
        status = pod["status"]
        conditions = {c["type"]: c for c in status.get("conditions", [])}
        if conditions.get("Ready", {}).get("status") == "True":
            continue
        node = pod["spec"].get("nodeName") or "no node"
        scheduled = conditions.get("PodScheduled", {})
        why = status.get("reason") or status.get("phase", "")
        if scheduled.get("status") == "False":
            why = scheduled.get("message") or scheduled.get("reason", why)
        for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
            waiting = container["state"].get("waiting")
            if waiting and waiting.get("reason") not in (None, "PodInitializing"):
                why = f"{waiting['reason']} {waiting.get('message', '')}".strip()
                break
        yield f"{node}: {why}"


def main(namespace, daemonset, seconds):
    deadline = time.monotonic() + seconds
    said = None
    while True:
        try:
            puller = get(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{daemonset}")
            status = puller["status"]
            wanted, ready = status["desiredNumberScheduled"], status.get("numberReady", 0)
            current = status.get("observedGeneration") == puller["metadata"]["generation"]
            if current and wanted and ready >= wanted:
                print(f"images are on {ready} of {wanted} nodes", flush=True)
                return 0
            pods = get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=component%3D{daemonset}")
            say = [f"images are on {ready} of {wanted} nodes", *sorted(reasons(pods["items"]))]
        except (urllib.error.URLError, OSError) as error:
            say = [f"cannot ask the API server: {error}"]
        if say != said:
            print("\n  ".join(say), flush=True)
            said = say
        if time.monotonic() >= deadline:
            print(f"gave up after {seconds} s", flush=True)
            return 1
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
