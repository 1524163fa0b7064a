package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gauntlet/bench/rig"
	"gauntlet/lab"
)

// A runbook follows the runbook by hand: one step after another, with the tools that a
// person has.
type runbook struct {
	*rig.Rig
	dir       string // copy of the platform's sources
	namespace string
	begun     string // when, for tags that no earlier run has used
	runs      int
}

// suite is the runbook's pairing test: a worker is there, and it computes.
const suite = `
import sys
from dask.distributed import Client
client = Client(sys.argv[1], timeout=60)
client.wait_for_workers(1, timeout=60)
assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6
`

func newRunbook(ctx context.Context, r *rig.Rig, of *rig.Platform) (*runbook, error) {
	b := &runbook{Rig: r, dir: filepath.Join(r.Work, "runbook"), namespace: "bench-runbook", begun: time.Now().UTC().Format("20060102-150405")}
	if err := r.Namespace(ctx, b.namespace); err != nil {
		return nil, err
	}
	return b, os.CopyFS(b.dir, os.DirFS(of.Dir))
}

// verdict builds both images, starts a scheduler in the notebook and a worker, and runs
// the suite. Pods are deleted afterwards, outside of the time.
func (b *runbook) verdict(ctx context.Context) (took time.Duration, err error) {
	b.runs++
	// A node that knows a tag starts what it has by that name and pulls nothing: a tag of
	// an earlier run would measure, and test, that run's images.
	tag := fmt.Sprintf("%s-%d", b.begun, b.runs)
	scheduler, worker := "scheduler-"+tag, "worker-"+tag
	kubectl := func(args ...string) rig.Command {
		return b.Kubectl(append([]string{"--namespace", b.namespace}, args...)...)
	}
	defer func() {
		if _, e := b.OK(ctx, kubectl("delete", "pod", scheduler, worker, "--ignore-not-found", "--grace-period=1")); err == nil {
			err = e
		}
	}()
	start := time.Now()
	for _, image := range []string{"notebook", "worker"} {
		if _, err := b.OK(ctx, b.build(image, tag)); err != nil {
			return 0, err
		}
	}
	pod := func(name, image string, program ...string) rig.Command {
		return kubectl(append([]string{"run", name, "--image=" + b.ref(image, tag), "--restart=Never", "--command", "--"}, program...)...)
	}
	ready := func(name string) rig.Command {
		return kubectl("wait", "pod/"+name, "--for=condition=Ready", "--timeout=5m")
	}
	if _, err := b.OK(ctx, pod(scheduler, "notebook", "dask", "scheduler", "--port", "8786", "--no-dashboard")); err != nil {
		return 0, err
	}
	if _, err := b.OK(ctx, ready(scheduler)); err != nil {
		return 0, err
	}
	ip, err := b.OK(ctx, kubectl("get", "pod", scheduler, "--output=jsonpath={.status.podIP}"))
	if err != nil {
		return 0, err
	}
	address := fmt.Sprintf("tcp://%s:8786", strings.TrimSpace(ip.Out))
	if _, err := b.OK(ctx, pod(worker, "worker", "dask", "worker", address, "--nthreads", "1", "--no-dashboard")); err != nil {
		return 0, err
	}
	if _, err := b.OK(ctx, ready(worker)); err != nil {
		return 0, err
	}
	if _, err := b.OK(ctx, kubectl("exec", scheduler, "--", "python3", "-c", suite, address)); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

func (b *runbook) ref(image, tag string) string {
	return lab.Registry + "/bench/runbook-" + image + ":" + tag
}

// build is buildctl with the options that gauntlet builds with.
func (b *runbook) build(image, tag string) rig.Command {
	return rig.Command{Dir: b.dir, Argv: []string{filepath.Join(lab.BinDir(), "buildctl"), "build",
		"--frontend", "dockerfile.v0", "--local", "context=images", "--local", "dockerfile=images",
		"--opt", "filename=" + image + "/Dockerfile",
		"--opt", "build-arg:BASE=" + lab.Registry + "/platform/base:bookworm",
		"--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt",
		"--output", "type=image,name=" + b.ref(image, tag) + ",push=true,oci-mediatypes=true,compression=zstd"}}
}
