package hubdb

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/kube"
)

// contextEnv names the kubeconfig context of a cluster on which the demonstration's hub
// runs, in the namespace testing.
const contextEnv = "GAUNTLET_TEST_CONTEXT"

func TestLabACopyOfTheDatabaseKnowsTheSameUsersAndThreeAreKept(t *testing.T) {
	name := os.Getenv(contextEnv)
	if name == "" {
		t.Skipf("needs a cluster: set %s", contextEnv)
	}
	c, err := kube.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	const namespace = "testing"
	at := time.Now().Add(-time.Hour)
	var files []string
	for range 4 {
		at = at.Add(time.Second)
		b, err := Copy(t.Context(), c, namespace, at)
		if err != nil {
			t.Fatal(err)
		}
		if b.Bytes == 0 {
			t.Errorf("%+v", b)
		}
		files = append(files, b.File)
		t.Log(b)
	}
	pod, container, err := hubPod(t.Context(), c, namespace)
	if err != nil {
		t.Fatal(err)
	}
	run := func(code string, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := c.Exec(t.Context(), kube.Exec{Namespace: namespace, Pod: pod, Container: container, Stdout: &out,
			Command: append([]string{"python3", "-c", code}, args...)}); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out.String())
	}
	live, _, _ := strings.Cut(files[3], ".gauntlet-")
	const schema = "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\nprint(d.execute('select version_num from alembic_version').fetchall(), sorted(d.execute('select name from sqlite_master')))"
	if a, b := run(schema, live), run(schema, files[3]); a != b || !strings.Contains(a, "users") {
		t.Errorf("the copy holds %s, the database %s", b, a)
	}
	left := run("import glob,sys\nprint(*sorted(glob.glob(sys.argv[1]+'.gauntlet-*')))", live)
	if left != strings.Join(files[1:], " ") {
		t.Errorf("left are %s, expected %s", left, files[1:])
	}
	run("import os,sys\nfor f in sys.argv[1:]: os.remove(f)", files[1:]...)
}
