# Futures, and what tasks may do with each other.


@check("map")
def a_map(clock):
    futures = client.map(lambda i: i * i, range(500), pure=False)
    total = send(lambda parts: sum(parts), futures).result(timeout=clock.left)
    same("the sum of 500 squares", total, sum(i * i for i in range(500)))
    return "500 tasks and their sum"


@check("scatter")
def scatter(clock):
    one = client.scatter({"level": 3}, broadcast=True, timeout=clock.left)
    for worker, got in each_worker(clock, lambda d: d["level"], one).items():
        same(f"what was spread, on {worker}", got, 3)
    parts = client.scatter(list(range(10)), timeout=clock.left)
    same("what was gathered", client.gather(client.map(lambda x: x + 1, parts, pure=False)), list(range(1, 11)))
    return "one value on every worker, ten spread and gathered again"


@check("cancelling")
def cancelling(clock):
    slow = send(time.sleep, 1)
    try:
        slow.result(timeout=0.3)
        raise Problem("result(timeout=0.3) of a task of 1 s did not time out")
    except Problem:
        raise
    except BaseException as error:
        if "Timeout" not in type(error).__name__:
            raise
    slow.cancel()
    while not slow.cancelled():
        if clock.over:
            raise Problem(f"a cancelled task is still {slow.status}")
        time.sleep(0.05)
    same("a task after the cancelled one", send(lambda: 42).result(timeout=clock.left), 42)
    return "a wait that times out, a task that is cancelled, and one after it"


@check("retry")
def retry(clock):
    def sometimes():
        from distributed import get_worker

        worker = get_worker()
        worker.gauntlet_tries = getattr(worker, "gauntlet_tries", 0) + 1
        if worker.gauntlet_tries < 3:
            raise OSError("not yet")
        return worker.gauntlet_tries

    same("the try that was good", send(sometimes, workers=[one_worker()], retries=4).result(timeout=clock.left), 3)
    return "a task that fails twice is tried a third time"


@check("as-completed")
def completed(clock):
    from distributed import Event, as_completed

    places = workers()
    if len(places) < 2:
        raise Warned("one worker only: nothing can overtake")
    gate = Event("gauntlet-gate")
    slow = send(lambda: (gate.wait(timeout=60), "slow")[1], workers=[places[0]])
    fast = send(lambda: "fast", workers=[places[1]])
    order = []
    for future in as_completed([slow, fast], timeout=clock.left):
        order.append(future.result(timeout=clock.left))
        gate.set()
    same("the order", order, ["fast", "slow"])
    return "the first that is done comes first"


@check("coordination")
def coordination(clock):
    from distributed import Lock, Queue, Variable

    queue, variable, lock = Queue("gauntlet-queue"), Variable("gauntlet-variable"), Lock("gauntlet-lock")
    variable.set(20)

    def work(i):
        with lock:
            queue.put(variable.get(timeout=30) + i)

    client.gather([send(work, i) for i in range(4)])
    same("what the tasks put into the queue", sorted(queue.get(timeout=clock.left) for _ in range(4)), [20, 21, 22, 23])
    return "a lock, a queue and a variable, of notebook and tasks"


@check("nested")
def nested(clock):
    def outer(n):
        from distributed import worker_client

        with worker_client() as inner:
            return sum(inner.gather(inner.map(lambda x: x * 2, range(n), pure=False)))

    same("the sum of tasks of a task", send(outer, 10).result(timeout=clock.left), 90)
    return "a task that starts ten tasks and waits for them"
