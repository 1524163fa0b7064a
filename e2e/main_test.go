// Package e2e tests gauntlet end to end on the lab: real Kubernetes, real Helm
// releases, real JupyterHub and Dask. `make test` brings the lab up first.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"gauntlet/lab"
)

// Root of the checkout, and what is run in it.
var (
	root    string
	program string
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(plainHelmEnv); spec != "" {
		os.Exit(plainHelmMain(spec))
	}
	why, err := prepare()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "end-to-end tests cannot run:", err)
		os.Exit(1)
	case why != "" && os.Getenv("CI") != "":
		fmt.Fprintln(os.Stderr, "end-to-end tests cannot run, which in CI is a failure:", why)
		os.Exit(1)
	case why != "":
		fmt.Println("end-to-end tests skipped:", why)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// prepare finds the checkout and says why the lab cannot be used here.
func prepare() (why string, err error) {
	if runtime.GOOS != "linux" {
		return "the lab runs on Linux, this is " + runtime.GOOS, nil
	}
	if os.Geteuid() != 0 {
		return "the lab needs root", nil
	}
	if root, err = filepath.Abs(".."); err != nil {
		return "", err
	}
	program = filepath.Join(root, "bin", "gauntlet")
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("%s is not built: run make test-e2e", program)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := lab.GetStatus(ctx)
	if err != nil {
		return "", err
	}
	if !st.Up {
		return "", fmt.Errorf("the lab is not up: bin/lab status says what is missing, make lab-up brings it up")
	}
	return "", nil
}

// TestEndToEnd runs in this order because each part stands on the one before: the
// walk leaves the example in production, and what follows looks at it or borrows
// its evidence.
func TestEndToEnd(t *testing.T) {
	if !t.Run("demo walks a release to production", demoWalks) {
		t.FailNow()
	}
	t.Run("demo again does nothing twice", demoAgain)
	t.Run("another machine sees the same ladder", otherMachine)
	t.Run("gate", testGate)
	t.Run("beside each other", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T){
			"faults of images":      imageFaults,
			"faults of charts":      chartFaults,
			"a full registry disk":  fullRegistry,
			"a second chart":        secondChart,
			"changes":               changes,
			"kills":                 kills,
			"writers and tampering": tampering,
			"drills":                drills,
			"unstick":               unsticks,
			"taking over":           adopts,
			"rollbacks":             rollbacks,
			"a held kernel":         heldKernel,
			"waves":                 waves,
			"what differs":          diffs,
			"reservations":          reserves,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
	showDrills(t)
}
