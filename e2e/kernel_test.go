package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/hub"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// An upgradeOf is a change to a hub on which somebody has a kernel open.
type upgradeOf struct {
	what     string
	edit     func(s *small, n int)
	restarts string // component that it must restart
}

// The kinds of upgrade that a kernel lives through.
var (
	restartsHub = upgradeOf{"a setting of the hub", func(s *small, n int) {
		s.set("chart/values.yaml", map[string]any{"jupyterhub.hub.resources.requests.cpu": fmt.Sprintf("%dm", 20+n)})
	}, "hub"}
	restartsProxy = upgradeOf{"a setting of the proxy", func(s *small, n int) {
		s.set("chart/values.yaml", map[string]any{"jupyterhub.proxy.resources.requests.cpu": fmt.Sprintf("%dm", 10+n)})
	}, "proxy"}
	newChart = upgradeOf{"a new version of the chart", func(s *small, n int) {
		s.set("chart/Chart.yaml", map[string]any{"version": fmt.Sprintf("0.2.%d", n)})
	}, ""}
	newServers = upgradeOf{"a setting of users' servers", func(s *small, n int) {
		s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 300+n)})
	}, ""}
)

// heldKernel holds the kernel of a user who is logged in open while the hub is upgraded
// again and again: it answers each time, keeps what it kept, and its output is whole.
// GAUNTLET_UPGRADES=10 makes ten upgrades of all kinds, as the long tests do.
func heldKernel(t *testing.T) {
	upgrades := []upgradeOf{restartsHub, restartsProxy, newChart}
	if n, _ := strconv.Atoi(os.Getenv("GAUNTLET_UPGRADES")); n > 0 {
		all := []upgradeOf{restartsHub, restartsProxy, newChart, newServers, restartsProxy, restartsHub, newServers, restartsProxy, newChart, restartsHub}
		upgrades = nil
		for i := range n {
			upgrades = append(upgrades, all[i%len(all)])
		}
	}
	s := newSmall(t, "kernel", 30395)
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")

	address := fmt.Sprintf("http://172.29.0.11:%d", s.port)
	k, err := serverOf(t, address, "linus").Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Run(t.Context(), "kept, n = 'since before the first upgrade', 0"); err != nil {
		t.Fatal(err)
	}
	first := 0
	var table strings.Builder
	table.WriteString("| | upgrade | restarted | whole command, s | websocket cut, times | lines it printed | lost where it was cut |\n|---|---|---|---|---|---|---|\n")
	for i, u := range upgrades {
		stream, err := k.Stream(t.Context(), countOn)
		if err != nil {
			t.Fatal(err)
		}
		before := s.components()
		u.edit(s, i+1)
		s.commit("Change " + u.what)
		began := time.Now()
		s.gauntlet(0, "run", "--key", "ci")
		took := time.Since(began)
		restarted := changed(before, s.components())
		if u.restarts != "" && !strings.Contains(restarted, u.restarts) {
			t.Errorf("upgrade %d (%s) restarted %q, expected %s: nothing was shown", i+1, u.what, restarted, u.restarts)
		}
		n, lost, cuts := stopped(t, k, stream, first)
		out, err := k.Run(t.Context(), "print(kept)")
		if got := strings.TrimSpace(out.Stdout); err != nil || got != "since before the first upgrade" {
			t.Fatalf("after upgrade %d the kernel says %q (%v): it is another", i+1, got, err)
		}
		fmt.Fprintf(&table, "| %d | %s | %s | %.1f | %d | %d | %d |\n", i+1, u.what, cmp.Or(restarted, "nothing"), took.Seconds(), cuts, n-first, lost)
		first = n
	}
	t.Logf("a kernel held open:\n%s", table.String())
}

// countOn counts on in a kernel, ten lines a second, until it is interrupted.
const countOn = `
import signal, time
asked = []
before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
while not asked:
    print(n, flush=True)
    n += 1
    time.sleep(0.1)
signal.signal(signal.SIGINT, before)
print("end", n, flush=True)
`

// stopped interrupts a kernel that counts once it is seen to count still, and checks
// that every line from first on has come: n is the next number, lost how many lines are
// missing where the websocket was cut (what the proxy had in its hands). A line that is
// missing elsewhere is an error.
func stopped(t *testing.T, k *kernel.Kernel, stream *kernel.Stream, first int) (n, lost, cuts int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for seen := len(stream.Output().Stdout); ; {
		if _, down := stream.Cuts(); down == nil && len(stream.Output().Stdout) > seen {
			break
		}
		select {
		case <-stream.Done():
			t.Fatalf("the kernel has ended: %v", stream.Err())
		case <-ctx.Done():
			_, down := stream.Cuts()
			t.Fatalf("the kernel says nothing any more (%v)", down)
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := k.Interrupt(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stream.Done():
	case <-ctx.Done():
		t.Fatal("the kernel was interrupted and goes on")
	}
	at, _ := stream.Cuts()
	n = first
	begins := 0
	for line := range strings.Lines(stream.Output().Stdout) {
		text := strings.TrimSpace(line)
		if end, ok := strings.CutPrefix(text, "end "); ok {
			if end != strconv.Itoa(n) {
				t.Fatalf("output was lost: it printed up to %s, and %d lines came", end, n)
			}
			return n, lost, len(at)
		}
		got, err := strconv.Atoi(text)
		switch missing := got - n; {
		case err != nil || missing < 0 || missing > 20 || missing > 0 && !slices.Contains(at, begins):
			t.Fatalf("output was lost: %q came where %d was expected", text, n)
		default:
			lost += missing
		}
		n = got + 1
		begins += len(line)
	}
	t.Fatalf("output was lost: its end did not come after line %d (%v)", n-1, stream.Err())
	return
}

// components are the pods of hub and proxy.
func (s *small) components() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, c := range []string{"hub", "proxy"} {
		out[c] = s.kubectl(lab.BleedingEdge, "-n", s.name, "get", "pods", "-l", "component="+c, "-o", "jsonpath={.items[*].metadata.uid}")
		if out[c] == "" {
			s.t.Fatalf("there is no pod of %s", c)
		}
	}
	return out
}

func changed(before, after map[string]string) string {
	var out []string
	for _, c := range []string{"hub", "proxy"} {
		if before[c] != after[c] {
			out = append(out, c)
		}
	}
	return strings.Join(out, ", ")
}

// serverOf logs a user in on the hub's page, as a browser does, and starts their server.
func serverOf(t *testing.T, address, user string) *kernel.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	token := loggedIn(t, ctx, address, user)
	h := hub.New(address, token)
	if err := h.StartServer(ctx, user, nil); err != nil {
		t.Fatal(err)
	}
	server, err := h.WaitServer(ctx, user, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := kernel.Dial(address, server.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// loggedIn logs a user in and gives a token of theirs.
func loggedIn(t *testing.T, ctx context.Context, address, user string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(address + "/hub/")
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	do := func(method, path, kind, body string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, method, address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range jar.Cookies(base) {
			if c.Name == "_xsrf" {
				req.Header.Set("X-XSRFToken", c.Value)
			}
		}
		req.Header.Set("Content-Type", kind)
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil || resp.StatusCode >= 400 {
			t.Fatalf("%s %s: %s: %s", method, path, resp.Status, kube.OneLine(string(data[:min(len(data), 500)])))
		}
		return data
	}
	do(http.MethodGet, "/hub/login", "", "")
	do(http.MethodPost, "/hub/login", "application/x-www-form-urlencoded", url.Values{"username": {user}, "password": {"nothing"}}.Encode())
	do(http.MethodGet, "/hub/token", "", "")
	var token struct{ Token string }
	if err := json.Unmarshal(do(http.MethodPost, "/hub/api/users/"+user+"/tokens", "application/json", `{"note": "end-to-end test"}`), &token); err != nil || token.Token == "" {
		t.Fatalf("the hub gives no token to %s: %v", user, err)
	}
	return token.Token
}
