package pair

import "time"

// A probe is a check that the client script makes.
type probe struct {
	key     string // its name in scripts/client
	name    string
	timeout time.Duration // for the script; the check has answerGrace more
	module  string        // asked only when notebook or worker promises to import it; "": always
	needs   string        // "" as most: aLambda
}

// Names of checks that others rest on. All but opens follow the pair's name.
const (
	opens     = "the workbench opens"
	aligned   = "packages align before a pod starts"
	scheduler = "the scheduler starts"
	canStart  = "the workers start"
	agree     = "packages agree where they run"
	isThere   = "the client connects"
	workers   = "workers join"
	versions  = "versions agree"
	aBuiltin  = "a builtin runs on every worker"
	aLambda   = "a lambda runs on every worker"
)

// answerGrace is what a check may take beyond the time its script has: for the
// way there and back on a busy cluster.
const answerGrace = 15 * time.Second

// probes are in order. Between other versions work mostly hangs, so it is not begun.
// A builtin crosses between Pythons that cannot exchange a function, so everything
// that is sent needs the lambda. What changes the workers comes last.
var probes = []probe{
	{key: "connect", name: isThere, timeout: 60 * time.Second, needs: agree},
	{key: "join", name: workers, timeout: 90 * time.Second, needs: isThere},
	{key: "versions", name: versions, timeout: 30 * time.Second, needs: workers},
	{key: "builtin", name: aBuiltin, timeout: 30 * time.Second, needs: versions},
	{key: "lambda", name: aLambda, timeout: 60 * time.Second, needs: aBuiltin},
	{key: "environment", name: "text, time zone and locale are the same", timeout: 30 * time.Second},

	{key: "closure", name: "a closure crosses", timeout: 30 * time.Second},
	{key: "class", name: "a class of the notebook crosses", timeout: 30 * time.Second},
	{key: "dataclass", name: "a dataclass crosses", timeout: 30 * time.Second},
	{key: "generator", name: "a generator crosses or is refused", timeout: 30 * time.Second},
	{key: "exceptions", name: "exceptions go both ways", timeout: 30 * time.Second},
	{key: "tracebacks", name: "tracebacks name the user's code", timeout: 30 * time.Second},

	{key: "numpy", name: "numpy arrays go both ways", timeout: 60 * time.Second},
	{key: "pandas", name: "pandas data frames go both ways", timeout: 60 * time.Second},
	{key: "arrow", name: "arrow tables go both ways", timeout: 60 * time.Second, module: "pyarrow"},
	{key: "xarray", name: "xarray computes", timeout: 60 * time.Second, module: "xarray"},
	{key: "zarr", name: "zarr stores go both ways", timeout: 60 * time.Second, module: "zarr"},
	{key: "sparse", name: "sparse arrays go both ways", timeout: 90 * time.Second, module: "sparse"},
	{key: "geopandas", name: "geopandas data frames go both ways", timeout: 60 * time.Second, module: "geopandas"},
	{key: "arguments", name: "large arguments arrive", timeout: 90 * time.Second},
	{key: "results", name: "large results arrive", timeout: 90 * time.Second},

	{key: "array", name: "a Dask array computes", timeout: 60 * time.Second},
	{key: "bag", name: "a Dask bag computes", timeout: 60 * time.Second},
	{key: "delayed", name: "a delayed graph computes", timeout: 60 * time.Second},
	{key: "dataframe", name: "a Dask data frame computes", timeout: 60 * time.Second, module: "pandas"},
	{key: "persist", name: "what is persisted stays", timeout: 60 * time.Second},
	{key: "rechunk", name: "an array is rechunked", timeout: 60 * time.Second},
	{key: "shuffle", name: "a data frame is shuffled", timeout: 60 * time.Second, module: "pandas"},

	{key: "map", name: "a map over 500 tasks", timeout: 60 * time.Second},
	{key: "scatter", name: "data is scattered and gathered", timeout: 30 * time.Second},
	{key: "cancelling", name: "tasks can be cancelled", timeout: 30 * time.Second},
	{key: "retry", name: "tasks are tried again", timeout: 30 * time.Second},
	{key: "as-completed", name: "results come as they complete", timeout: 30 * time.Second},
	{key: "coordination", name: "locks, queues and variables work", timeout: 30 * time.Second},
	{key: "nested", name: "tasks start tasks", timeout: 30 * time.Second},

	{key: "upload", name: "a module is uploaded", timeout: 30 * time.Second},
	{key: "plugin", name: "a worker plugin is registered", timeout: 30 * time.Second},
	{key: "speed", name: "speed", timeout: 60 * time.Second},
	{key: "tls", name: "a worker joins over TLS", timeout: 60 * time.Second},
	{key: "death", name: "a worker's death loses no task", timeout: 60 * time.Second},
	{key: "memory-limit", name: "a worker out of memory is stopped", timeout: 60 * time.Second},
	{key: "restart", name: "the workers restart", timeout: 90 * time.Second},
	{key: "spill", name: "a full memory spills to disk", timeout: 90 * time.Second},
}
