package pair

import "regexp"

// A known failure: what is said, and what it means in words. Words may take what the
// expression found ($1).
type known struct {
	said  *regexp.Regexp
	words string
}

const (
	otherDask   = "notebook, scheduler and worker have different releases of Dask, which speak different protocols: install both images from one lock file"
	otherPython = "notebook and worker have different minor versions of Python, and functions do not cross between them: build both images on the same base"
)

// knownFailures are what mismatched pairs do in the field and on the lab. The first
// that fits counts, so what is special stands before what is general.
var knownFailures = []known{
	// Protocols of distributed: the nanny's start, a graph's arrival, a worker's words.
	{regexp.MustCompile(`nanny-plugins|add_nanny\(\)|update_graph\(\) got an unexpected|graph_header|add_worker\(\)|unexpected keyword argument '?types'?|_register\w*\(\) got an unexpected`), otherDask},
	{regexp.MustCompile(`versions differ: python`), otherPython},
	{regexp.MustCompile(`versions differ: .*\b(dask|distributed) `), otherDask},

	// Code of another Python.
	{regexp.MustCompile(`_make_function|_function_setstate|code\(\) (takes|argument|expected)|unknown opcode|bad marshal data|SystemError: .*opcode`), otherPython},
	{regexp.MustCompile(`unsupported pickle protocol: (\d+)`), "one side writes pickle protocol $1, which the other's Python is too old to read: build both images on the same base"},

	// Libraries that are on one side only, or in other versions.
	{regexp.MustCompile(`No module named '?(numpy\._core|numpy\.core)`), "notebook and worker have numpy 1 and numpy 2: install both images from one lock file"},
	{regexp.MustCompile(`Can't get attribute '(?:_unpickle_block|new_block)'|Argument '.*' has incorrect type .*pandas|StringDtype.*na_value|_libs\.(?:internals|arrays)`), "notebook and worker have different versions of pandas, whose frames do not cross: install both images from one lock file"},
	{regexp.MustCompile(`KeyError: '(lz4|snappy|zstd|blosc)'|[Nn]o (?:compression|decompress\w+) (?:named )?'?(lz4|snappy|zstd|blosc)`), "a library for compression ($1$2) is in one image only: it must be everywhere or nowhere"},
	{regexp.MustCompile(`Can't get attribute '([^']+)' on <module '([^']+)'`), "the two images have different versions of $2: its $1 is on one side only"},
	{regexp.MustCompile(`No module named '?([A-Za-z0-9_.]+).*in the notebook it is there`), "$1 is missing on the worker, and tasks of the notebook need it: add it to the worker's image"},
	{regexp.MustCompile(`No module named '?([A-Za-z0-9_.]+)`), "$1 is missing in the notebook: add it to the notebook's image, or take it out of imports"},
	{regexp.MustCompile(`cannot import name '?(\w+)'? from '?([A-Za-z0-9_.]+)`), "$2 does not fit the packages beside it in its image ($1 is not in it): resolve all packages of an image together"},
	{regexp.MustCompile(`TypeError: .*tblib|tblib.*(?:TypeError|unexpected)`), otherDask},

	// Memory, disks, networks.
	{regexp.MustCompile(`(?i)out ?of ?memory|OOMKilled|exit code 137|MemoryError`), "a pod had too little memory: give the workbench's pods more, or look for what takes it"},
	{regexp.MustCompile(`No space left on device`), "a node's disk is full: worker and scheduler cannot write what they spill"},
	{regexp.MustCompile(`PermissionError.*['"](/[^'"]+)`), "the worker's user may not write $1: mend its rights in the image"},
	{regexp.MustCompile(`Name or service not known|Temporary failure in name resolution`), "a name could not be resolved in the workbench's cluster: look at its DNS"},
	{regexp.MustCompile(`No route to host|Network is unreachable|Waiting to connect to`), "the worker cannot reach the scheduler's port: look for a NetworkPolicy or a firewall between the workbench's pods"},
	{regexp.MustCompile(`encryption required by Dask configuration`), "one side's Dask configuration demands TLS and the other speaks plain TCP: set distributed.comm.require-encryption everywhere or nowhere"},
	{regexp.MustCompile(`(?i)certificate verify failed|wrong version number|TLS`), "worker and scheduler do not agree on TLS: compare the versions of OpenSSL and distributed in both images"},

	// A worker that dies without a word.
	{regexp.MustCompile(`code 139|SIGSEGV|Segmentation fault|signal 11`), "a process crashed in compiled code, as it does on objects of another Python or of another version of a compiled library: compare both images with gauntlet diff"},
	{regexp.MustCompile(`Illegal instruction|signal 4\b|code 132`), "a library in the image was compiled for another kind of processor than the node's"},
	{regexp.MustCompile(`KilledWorker`), "the task kills each worker that takes it: it needs more memory than a worker has, or crashes on what the other image sent"},
	{regexp.MustCompile(`Nanny failed to start`), "the worker's nanny runs, but not the worker's own process: its image or its Dask configuration keeps it from starting"},
}

// diagnosis is what is known of a failure, in words that name the mend; "" when
// nothing is. said is the failure with what workers and scheduler say, in one line.
func diagnosis(said string) string {
	for _, k := range knownFailures {
		if at := k.said.FindStringSubmatchIndex(said); at != nil {
			return string(k.said.ExpandString(nil, k.words, said, at))
		}
	}
	return ""
}
