package pair

import (
	"strings"
	"testing"
)

// What is said here, real pairs have said: matched, a release apart, a Python apart.
func TestKnownFailuresAreDiagnosedInWords(t *testing.T) {
	for said, want := range map[string]string{
		"no worker joined in 88 s; the worker says: KeyError: 'nanny-plugins'":                                                                                                 "different releases of Dask",
		"no worker joined in 88 s; the worker says: RuntimeError: Nanny failed to start. (from KeyError: 'nanny-plugins')":                                                     "different releases of Dask",
		"TimeoutError: no result in 30 s; the scheduler says: TypeError: add_nanny() got an unexpected keyword argument 'address'":                                             "different releases of Dask",
		"FutureCancelledError: x; the scheduler says: TypeError: update_graph() got an unexpected keyword argument 'graph_header'":                                             "different releases of Dask",
		"versions differ: dask 2026.8.0 (client) / 2026.7.1 (worker)":                                                                                                          "different releases of Dask",
		"versions differ: python 3.13.5 (client) / 3.14.8 (worker), dask 1 (client) / 2 (worker)":                                                                              "different minor versions of Python",
		"AttributeError: Can't get attribute '_make_function' on <module 'cloudpickle.cloudpickle'":                                                                            "different minor versions of Python",
		"ValueError: unsupported pickle protocol: 5":                                                                                                                           "pickle protocol 5",
		"ModuleNotFoundError: No module named 'geopandas' (in the notebook it is there)":                                                                                       "geopandas is missing on the worker",
		"ModuleNotFoundError: No module named 'geopandas'":                                                                                                                     "geopandas is missing in the notebook",
		"ModuleNotFoundError: No module named 'numpy._core'":                                                                                                                   "numpy 1 and numpy 2",
		"ImportError: cannot import name 'parse_version' from 'pkg_resources' (/usr/lib)":                                                                                      "pkg_resources does not fit",
		"AttributeError: Can't get attribute 'PandasThing' on <module 'pandas.core.arrays' from '/x'>":                                                                         "different versions of pandas.core.arrays",
		"every worker has ended: RuntimeError: Nanny failed to start. (from RuntimeError: encryption required by Dask configuration, refusing communication from/to 'tcp://1'": "require-encryption",
		"no worker joined in 88 s; the worker says: asyncio.exceptions.TimeoutError: Nanny failed to start in 60 seconds":                                                      "not the worker's own process",
		"KeyError: 'lz4'": "compression (lz4)",
		"KilledWorker: Attempted to run task 'f' on 4 different workers; the worker says: Worker process 31 was killed by signal 11":         "crashed in compiled code",
		"KilledWorker: Attempted to run task 'f' on 4 different workers":                                                                     "kills each worker",
		"every worker has ended: pod p: OutOfMemory: killed":                                                                                 "too little memory",
		"no worker joined in 88 s; the worker says: OSError: [Errno 28] No space left on device":                                             "disk is full",
		"every worker has ended: Exited; its log: PermissionError: [Errno 13] Permission denied: '/opt/dask-worker-space'":                   "may not write /opt/dask-worker-space",
		"every worker has ended: Exited; its log: OSError: Timed out trying to connect to tcp://10.0.0.1:8786: [Errno 113] No route to host": "NetworkPolicy",
		"no task ran over TLS; the worker says: ssl.SSLCertVerificationError: certificate verify failed: unable to get local issuer":         "do not agree on TLS",
	} {
		if got := diagnosis(said); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
	for _, said := range []string{"", "the sum of 500 squares: got 1, want 2", "TimeoutError: no result in 30 s", "a mean over time differs from numpy's"} {
		if got := diagnosis(said); got != "" {
			t.Errorf("%q is not known, and was called %q", said, got)
		}
	}
}
