"""Runs in a user's kernel: makes, scales and closes a Dask cluster as the platform's
users do, with the pods of its worker template. What a step has to say it prints as JSON."""

import json
import os
import socket
import time

from dask_kubernetes.operator import KubeCluster, make_cluster_spec
from distributed import Client


def pod_of_workers(template):
    """The pod of a worker: of the template, or the image that this server runs."""
    import yaml

    if template:
        with open(template) as f:
            pod = yaml.safe_load(f)["spec"]
    else:
        image = os.environ.get("JUPYTER_IMAGE_SPEC") or os.environ["JUPYTER_IMAGE"]
        pod = {"containers": [{"name": "worker", "image": image, "args": ["dask", "worker", "$(DASK_SCHEDULER_ADDRESS)"]}]}
    pod["restartPolicy"] = "Always"
    container = pod["containers"][0]
    if "--name" not in container.get("args", []):
        # The operator retires workers by the names that it gave them.
        container.setdefault("args", ["dask", "worker", "$(DASK_SCHEDULER_ADDRESS)"])
        container["args"] += ["--name", "$(DASK_WORKER_NAME)"]
    return pod


def namespace():
    """The namespace of this server's pod, in which its service account has rights."""
    with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as f:
        return f.read().strip()


def start(name, template, seconds):
    global cluster, client
    pod = pod_of_workers(template)
    worker = pod["containers"][0]
    spec = make_cluster_spec(name, image=worker["image"], n_workers=0)
    spec["spec"]["worker"]["spec"] = pod
    scheduler = spec["spec"]["scheduler"]["spec"]
    # Newer releases of Dask have no program dask-scheduler, which the spec would run.
    scheduler["containers"][0].update(args=["dask", "scheduler", "--host", "0.0.0.0"], resources=worker.get("resources"))
    for key in ("nodeSelector", "tolerations", "imagePullSecrets", "serviceAccountName", "securityContext"):
        if key in pod:
            scheduler[key] = pod[key]
    for tries in range(1, 5):
        try:
            cluster = KubeCluster(custom_cluster_spec=spec, namespace=namespace(), quiet=True, resource_timeout=seconds)
            break
        except TimeoutError:
            # The operator has not said that it works on the cluster; the client has
            # removed it again.
            if tries == 4:
                raise
    client = Client(cluster, timeout=60)
    print(json.dumps({"image": worker["image"], "tries": tries}))


def where(x):
    return socket.gethostname(), x * x


def work(n, seconds):
    """Has each of n workers compute, and says in which pods."""
    client.wait_for_workers(n, timeout=seconds)
    names = list(client.scheduler_info(n_workers=-1)["workers"])
    done = client.gather([client.submit(where, i, workers=[w], allow_other_workers=True, pure=False) for i, w in enumerate(names)])
    assert [x for _, x in done] == [i * i for i in range(len(names))], done
    print(json.dumps({"pods": sorted(h for h, _ in done)}))


def slow(x):
    time.sleep(1)
    return x * x


def load(n):
    """Gives the cluster work for n seconds of one worker, and does not wait."""
    global futures
    futures = client.map(slow, range(n), pure=False)


def results(seconds):
    """Waits for the work, and lets go of it."""
    global futures
    from distributed import wait

    wait(futures, timeout=seconds)
    assert client.gather(futures) == [i * i for i in range(len(futures))]
    futures = None


def target():
    """How many workers the scheduler wants."""
    print(json.dumps({"workers": client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.adaptive_target())}))


def close(seconds):
    client.close()
    cluster.close(timeout=seconds)
