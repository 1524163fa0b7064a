package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRandomKills is the long drill of `make test-long`: change after change is
// carried to a hub, each run ended by SIGKILL at a random moment and then run again.
// Three hubs share the kills, side by side; in the first two of each the moment lies
// between Helm's pending record and its deployed one. GAUNTLET_KILLS says how many in
// all (none: it is skipped), GAUNTLET_SEED repeats their moments.
func TestRandomKills(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("GAUNTLET_KILLS"))
	if n == 0 {
		t.Skip("part of make test-long: GAUNTLET_KILLS says how many")
	}
	seed, err := strconv.ParseUint(os.Getenv("GAUNTLET_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("GAUNTLET_SEED=%d repeats these moments", seed)
	const hubs = 3
	for hub := range hubs {
		t.Run(fmt.Sprintf("hub %d", hub), func(t *testing.T) {
			t.Parallel()
			randomKills(t, fmt.Sprintf("random%d", hub), 30121+hub, (n+hubs-1-hub)/hubs, rand.New(rand.NewPCG(seed, uint64(hub))))
		})
	}
}

func randomKills(t *testing.T, name string, port, n int, random *rand.Rand) {
	s := newSmall(t, name, port)
	s.begin()
	s.borrow()
	start := time.Now()
	s.gauntlet(0, "run", "--key", "ci")
	whole := time.Since(start)
	last := s.newest()
	for i := range n {
		s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 257+i)})
		s.commit("Change the size of homes")
		moment := time.Duration(random.Int64N(int64(whole)))
		what := "after " + moment.Round(time.Millisecond).String()
		if i < 2 {
			what = "while Helm's record is pending"
			s.killedWhen(s.pending, whole)
		} else {
			at := time.Now().Add(moment)
			s.killedWhen(func() bool { return time.Now().After(at) }, whole)
		}
		s.gauntlet(0, "run", "--key", "ci")
		now := s.newest()
		t.Logf("kill %d, %s: revision %d, then %d", i+1, what, last, now)
		if now <= last || now > last+2 {
			t.Errorf("killed %s: revision %d came after %d, expected one deployed and at most one interrupted", what, now, last)
		}
		last = now
		leftNothing(s.team, s.name)
	}
	if r := logOf(s.team).Rejected; len(r) > 0 {
		t.Errorf("rejected statements: %v", r)
	}
}

// killedWhen runs gauntlet and ends it with SIGKILL as soon as the condition holds, at
// the latest after the limit; a run that ends before is fine too.
func (s *small) killedWhen(condition func() bool, limit time.Duration) {
	s.t.Helper()
	cmd := exec.Command(program, "run", "--key", "ci")
	cmd.Dir, cmd.Env = s.dir, s.env
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		select {
		case <-ended:
			return
		case <-s.t.Context().Done():
			_ = cmd.Process.Kill()
			<-ended
			return
		case <-tick.C:
			if condition() || time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				<-ended
				return
			}
		}
	}
}

// pending says whether a Helm record of the hub is pending.
func (s *small) pending() bool {
	return strings.Contains(s.kubectl("bleeding-edge", "-n", s.name, "get", "secrets", "-l", "owner=helm", "-o", "jsonpath={.items[*].metadata.labels.status}"), "pending")
}

// newest is the hub's newest revision, which must be the one deployed.
func (s *small) newest() int {
	s.t.Helper()
	h := statusOf(s.team).Hubs["testing"]
	if h.Deployable == "" || h.Foreign || h.Problem != "" {
		s.t.Errorf("hub testing: %+v", h)
	}
	return h.Revision
}
