# Code that crosses: what users write in a cell runs on a worker.


@check("builtin")
def builtin(clock):
    for worker, got in each_worker(clock, sum, [1, 2, 3]).items():
        same(f"sum([1, 2, 3]) on {worker}", got, 6)
    return f"sum on each of {len(workers())} workers"


@check("lambda")
def a_lambda(clock):
    got = each_worker(clock, lambda x: (x + 20, __import__("socket").gethostname()), 22)
    import socket

    for worker, (value, host) in got.items():
        same(f"a lambda on {worker}", value, 42)
        if host == socket.gethostname():
            raise Problem(f"worker {worker} runs in the notebook's own pod: nothing crossed")
    return f"on each of {len(got)} workers"


LEVEL = 7


def level(x):
    return LEVEL + x


@check("closure")
def closure(clock):
    kept, words = [1, 2], {"ä": "ö"}

    def outer(factor=3):
        def inner(x, *rest, key=None):
            return level(x * factor) + sum(kept) + len(words["ä"]) + len(rest) + (key or 0)

        return inner

    want = outer()(5, 1, 1, key=10)
    for worker, got in each_worker(clock, lambda f: f(5, 1, 1, key=10), outer()).items():
        same(f"a closure on {worker}", got, want)
    return "with captured values, defaults, a global and a function of the notebook"


class Buoy:
    """What a user defines in a cell."""

    instances = 3

    def __init__(self, depth):
        self.depth = depth

    @property
    def double(self):
        return self.depth * 2

    @classmethod
    def many(cls):
        return cls.instances

    def sink(self, metres):
        return type(self)(self.depth + metres)


@check("class")
def a_class(clock):
    class Deep(Buoy):
        def sink(self, metres):
            return super().sink(metres * 10)

    sunk, double, many = send(lambda b: (b.sink(2), b.double, b.many()), Deep(5)).result(timeout=clock.left)
    same("what its methods gave on the worker", (sunk.depth, double, many), (25, 10, 3))
    same("its type, back in the notebook", type(sunk).__name__, "Deep")
    if not isinstance(sunk, Buoy):
        raise Problem("an object of the notebook's class came back as one of another class of that name")
    return "an object of a class of the notebook, its methods and its parent's, both ways"


@check("dataclass")
def a_dataclass(clock):
    import collections, dataclasses, enum

    class Kind(enum.Enum):
        WIND = "wind"
        TIDE = "tide"

    Place = collections.namedtuple("Place", "lat lon")

    @dataclasses.dataclass
    class Station:
        name: str
        kind: Kind
        place: Place
        tags: list = dataclasses.field(default_factory=list)

    def work(station):
        return dataclasses.replace(station, tags=station.tags + [station.kind.value], place=station.place._replace(lon=9.0))

    got = send(work, Station("Föhr", Kind.WIND, Place(54.7, 8.5))).result(timeout=clock.left)
    same("what came back", (got.name, got.kind.name, tuple(got.place), got.tags), ("Föhr", "WIND", (54.7, 9.0), ["wind"]))
    return "with an enumeration and a named tuple, both ways"


@check("generator")
def generator(clock):
    def squares(n):
        for i in range(n):
            yield i * i

    same("a generator function used on the worker", send(lambda f: list(f(5)), squares).result(timeout=clock.left), [0, 1, 4, 9, 16])
    # A generator that has begun cannot cross; what counts is that one hears of it.
    try:
        send(list, squares(3)).result(timeout=clock.left)
    except Exception as error:
        if "Timeout" in type(error).__name__:
            raise Problem("a generator given to a task is waited for until time runs out, in place of an error")
        return f"its function crosses; a begun one is refused ({type(error).__name__})"
    return "its function crosses, and so does a begun one"


class Storm(Exception):
    """An exception of the user's own."""


@check("exceptions")
def exceptions(clock):
    def fail():
        raise Storm("wind force 12")

    for function, kind, words in ((fail, "Storm", "wind force 12"), (lambda: {}["nowhere"], "KeyError", "nowhere")):
        try:
            got = send(function, retries=0).result(timeout=clock.left)
        except Exception as error:
            if type(error).__name__ != kind or words not in str(error):
                raise Problem(f"{kind}({words!r}) came back as {type(error).__name__}: {error}")
        else:
            raise Problem(f"a task that raises {kind} gave {got!r}")

    def tell(error):
        try:
            raise error
        except Exception as raised:
            return type(raised).__name__, str(raised)

    same("an exception sent to the worker and raised there", send(tell, Storm("hail")).result(timeout=clock.left), ("Storm", "hail"))
    return "the user's own and a KeyError with their words, and one sent to the worker"


@check("tracebacks")
def tracebacks(clock):
    import traceback

    def inner_gust(x):
        return 1 / x

    def outer_gust(x):
        return inner_gust(x) + 1

    future = send(outer_gust, 0)
    error = future.exception(timeout=clock.left)
    same("the exception", type(error).__name__, "ZeroDivisionError")
    named = [frame.name for frame in traceback.extract_tb(future.traceback(timeout=clock.left))]
    if "inner_gust" not in named or "outer_gust" not in named:
        raise Problem(f"the traceback names {named}, not the user's functions: users could not find their mistake")
    return "names the user's functions on the worker"
