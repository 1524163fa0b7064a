package prepull

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

// TestMain lets the test program be the run that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	flag.Parse()
	c, err := kube.Connect(os.Getenv(contextEnv))
	if err == nil {
		l := lab{c: c, ns: os.Getenv(childEnv)}
		var s *Session
		s, err = Look(context.Background(), Request{Client: c, Namespace: l.ns, Timeout: time.Minute,
			Pools: []Pool{l.pool(Image{Ref: os.Getenv(imageEnv)})}})
		if err == nil && check.Run(context.Background(), s.Suite(), nil).State == check.Failed {
			err = errors.New("it failed")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (l lab) sets(t *testing.T) int {
	t.Helper()
	sets, err := l.c.AppsV1().DaemonSets(l.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(sets.Items)
}

func TestLabTheNextRunRemovesWhatAKilledOneLeft(t *testing.T) {
	for _, c := range []struct {
		point string
		sets  int
	}{{"prepull:begun", 0}, {"prepull:created", 1}, {"prepull:decided", 1}, {"prepull:removed", 0}} {
		t.Run(strings.TrimPrefix(c.point, "prepull:"), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			image := l.image(t, 1<<20)
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+l.ns, imageEnv+"="+image.Ref, kill.Env+"="+c.point)
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the run was not killed: %v", err)
			}
			if n := l.sets(t); n != c.sets {
				t.Errorf("the killed run left %d DaemonSets", n)
			}
			if res, _ := l.bring(t, t.Context(), l.request(t, l.pool(image))); res.State != check.Passed {
				t.Errorf("%+v", res)
			}
			eventually(t, 5*time.Second, func() bool { return l.sets(t) == 0 })
		})
	}
}

func TestLabTwoAtOnceDoNotDisturbEachOther(t *testing.T) {
	l := newLab(t)
	one, two := l.request(t, l.pool(l.image(t, 8<<20))), l.request(t, l.pool(l.image(t, 1<<20)))
	var wg sync.WaitGroup
	results := make([]check.Result, 2)
	for i, r := range []Request{one, two} {
		wg.Go(func() { results[i], _ = l.bring(t, t.Context(), r) })
	}
	wg.Wait()
	for i, r := range results {
		if r.State != check.Passed {
			t.Errorf("%d: %+v", i, r)
		}
	}
	eventually(t, 5*time.Second, func() bool { return l.clean(t) })
}

func TestLabStoppingLeavesNothing(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	r := l.request(t, l.pool(l.image(t, 1<<20)))
	r.Observe = func(string, string) { cancel(errors.New("somebody pressed Ctrl-C")) }
	res, _ := l.bring(t, ctx, r)
	if res.State != check.Failed || !strings.Contains(res.Outcomes[0].Message, "Ctrl-C") {
		t.Errorf("%+v", res)
	}
	eventually(t, 5*time.Second, func() bool { return l.clean(t) })
}
