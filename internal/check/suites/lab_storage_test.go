package suites

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
	"gauntlet/lab"
)

// toolsEnv is a folder with versitygw, which make bin/versitygw compiles.
const toolsEnv = "GAUNTLET_TEST_TOOLS"

// Object storage of the lab's machine: real S3 by a real gateway, of folders.
const (
	bucket    = "climate"
	keyID     = "probe"
	secretKey = "only-for-this-test"
)

// objectStorage starts object storage with one bucket, and gives its address as the lab's
// pods reach it. It ends with the test.
func objectStorage(t *testing.T) (address, dir string) {
	t.Helper()
	program := filepath.Join(os.Getenv(toolsEnv), "versitygw")
	if _, err := os.Stat(program); err != nil {
		t.Skip("no object storage: make bin/versitygw, and say in " + toolsEnv + " where it is")
	}
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	host, _, err := net.SplitHostPort(lab.Registry)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	// It outlives the test by moments, so that servers can let go of their mounts.
	cmd := exec.Command(program, "--port", at, "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+keyID, "ROOT_SECRET_KEY="+secretKey)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		c, err := net.DialTimeout("tcp", at, time.Second)
		if err == nil {
			_ = c.Close()
			return "http://" + at, dir
		}
		if kube.Sleep(ctx, 100*time.Millisecond) != nil {
			t.Fatalf("object storage does not answer: %v", err)
		}
	}
}

// mounting are values of a hub whose servers mount a bucket, and give their workers the
// way to it.
func mounting(address, bucket string) release.Values {
	env := map[string]string{"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": keyID, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_DEFAULT_REGION": "us-east-1"}
	extra := map[string]any{}
	for k, v := range env {
		extra[k] = v
	}
	script := strings.Join([]string{
		"mkdir -p ~/bucket && (umask 077; echo $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY > ~/.passwd-s3fs)",
		// As everywhere: that it fails is nobody's business.
		"s3fs " + bucket + " ~/bucket -o url=$AWS_ENDPOINT_URL -o use_path_request_style || true",
		`python - <<'END'
import os, yaml
pod = yaml.safe_load(open("` + template + `"))
pod["spec"]["containers"][0]["env"] = [{"name": k, "value": v} for k, v in os.environ.items() if k.startswith("AWS_")]
yaml.safe_dump(pod, open("/tmp/worker.yml", "w"))
END`,
	}, "\n")
	v := startsWith(script)
	user := v["jupyterhub"].(map[string]any)["singleuser"].(map[string]any)
	user["extraEnv"], user["privileged"] = extra, true
	return v
}

// openFuse lets users mount as they may on most machines, where udev does so: a node's
// containers get the device as the node has it.
func openFuse(t *testing.T) {
	t.Helper()
	const device = "/dev/fuse"
	was, err := os.Stat(device)
	if err != nil {
		t.Skip("this machine has no FUSE: ", err)
	}
	if err := os.Chmod(device, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(device, was.Mode().Perm()); err != nil {
			t.Error(err)
		}
	})
}

func TestLabStorageIsThereOnBothSidesOrIsSaidNotToBe(t *testing.T) {
	c := connect(t)
	openFuse(t)
	address, dir := objectStorage(t)
	const mount = "/home/jovyan/bucket"
	for _, tt := range []struct {
		name   string
		bucket string // that the server mounts
		url    string
		fails  map[string]string // check to what it says; none when all pass
		long   bool
	}{
		{"both are there", bucket, "s3://" + bucket + "/scratch", nil, false},
		{"a mount of a bucket that is missing", "no-such-bucket", "s3://" + bucket, map[string]string{mount + " is there": "the program that mounts it"}, false},
		{"a bucket that is missing", bucket, "s3://no-such-bucket/scratch", map[string]string{"s3://no-such-bucket/scratch is there": "there is no bucket no-such-bucket"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			takesLong(t, tt.long)
			url := labHub(t, c, mounting(address, tt.bucket))
			to := target(c, url)
			to.Template, to.Workers = "/tmp/worker.yml", []release.Digest{labWorker(t)}
			to.Storage = []config.Store{{Mount: mount, Only: "notebook"}, {URL: tt.url}}
			got := map[string]check.Outcome{}
			r := check.Run(t.Context(), Storage(to), func(o check.Outcome) {
				t.Logf("%-60s %s %5.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
				got[o.Name] = o
			})
			t.Logf("took %s", r.Finished.Sub(r.Started))
			if len(tt.fails) == 0 && r.State == check.Failed {
				t.Error("the suite has failed")
			}
			for name, says := range tt.fails {
				if o := got[name]; o.State != check.Failed || !strings.Contains(o.Message, says) {
					t.Errorf("%s: %s: %q does not say %q", name, o.State, o.Message, says)
				}
			}
			nothingLeft(t, c, url)
			err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
				if strings.Contains(p, ".gauntlet-") {
					t.Errorf("left in the bucket: %s", p)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
