package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

// serve is a hub that answers as the handler says, to whoever shows the token.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token t0" {
			t.Errorf("%s %s without the token", r.Method, r.URL)
		}
		handler(w, r)
	}))
	t.Cleanup(srv.Close)
	return New(srv.URL+"/", " t0\n")
}

func TestUsersOfAllPagesAreRead(t *testing.T) {
	const total = 450
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != pagedType {
			t.Errorf("accepts %q", r.Header.Get("Accept"))
		}
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		end := min(offset+limit, total)
		var items []map[string]any
		for i := offset; i < end; i++ {
			items = append(items, map[string]any{"name": fmt.Sprintf("u%d", i)})
		}
		page := map[string]any{"items": items, "_pagination": map[string]any{"next": nil}}
		if end < total {
			page["_pagination"] = map[string]any{"next": map[string]any{"offset": end}}
		}
		_ = json.NewEncoder(w).Encode(page)
	})
	users, err := c.Users(t.Context())
	if err != nil || len(users) != total || users[total-1].Name != "u449" {
		t.Errorf("%d users, %v", len(users), err)
	}
}

func TestAnOldHubsWholeListIsRead(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(` [{"name":"a"},{"name":"b"}]`)) })
	users, err := c.Users(t.Context())
	if err != nil || len(users) != 2 {
		t.Errorf("%v, %v", users, err)
	}
}

func TestActiveUsersAreThePeopleSeenSince(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[
			{"name":"grace","last_activity":"2026-11-20T10:00:00.000000Z"},
			{"name":"ada","last_activity":"2026-11-21T10:00:00.5Z"},
			{"name":"old","last_activity":"2026-01-01T00:00:00Z"},
			{"name":"never","last_activity":null},
			{"name":"gauntlet-probe-00000000","last_activity":"2026-11-21T10:00:00Z"},
			{"name":"evil\u001b[31m","last_activity":"2026-11-21T10:00:00Z"}]`))
	})
	got, err := c.ActiveUsers(t.Context(), time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	if d := cmp.Diff([]string{"ada", "evil\x1b[31m", "grace"}, got); d != "" || err != nil {
		t.Errorf("%s, %v", d, err)
	}
}

func TestNamesAreEscapedInPaths(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r.URL.EscapedPath(); w.WriteHeader(204) })
	if err := c.DeleteUser(t.Context(), "../a b?c#d"); err != nil {
		t.Fatal(err)
	}
	if got != "/hub/api/users/..%2Fa%20b%3Fc%23d" {
		t.Errorf("got %s", got)
	}
}

func TestRefusalsAreTypedAndNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		status   int
		body     string
		header   http.Header
		contains string
	}{
		"unknown token":   {403, `{"status":403,"message":"Missing or invalid credentials."}`, nil, "token is not known"},
		"missing scope":   {403, `{"status":403,"message":"Action is not authorized with current scopes"}`, nil, "may not do that"},
		"login page":      {302, "", http.Header{"Location": {"/hub/login?next=x"}}, "points to /hub/login"},
		"proxy's page":    {502, "<html>bad gateway</html>", http.Header{"Content-Type": {"text/html"}}, "page instead"},
		"control codes":   {500, "{\"message\":\"a\\u001b[31mb\\nc\"}", nil, "answers 500: ab c"},
		"no words at all": {500, "", nil, "answers 500"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tt.header {
					w.Header()[k] = v
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			err := c.CreateUser(t.Context(), "x")
			var e *Error
			if !errors.As(err, &e) || e.Status != tt.status || !strings.Contains(err.Error(), tt.contains) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheTokenIsNotTakenAlongARedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	if _, err := c.Users(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestWhatIsNoHubIsSaidToBeNone(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "no JupyterHub") {
		t.Errorf("got %v", err)
	}
}

// spawner is a hub with one user, whose server takes the states given, one per ask.
type spawner struct {
	mu     sync.Mutex
	states []string // "spawn", "ready", "stop", "" (none)
	stream string
	asked  []string
}

func (s *spawner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	switch {
	case strings.HasSuffix(r.URL.Path, "/progress"):
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(s.stream))
	case r.Method == http.MethodGet:
		state := s.states[0]
		if len(s.states) > 1 {
			s.states = s.states[1:]
		}
		servers := map[string]any{}
		switch state {
		case "spawn", "stop", "check":
			servers[""] = map[string]any{"pending": state}
		case "ready":
			servers[""] = map[string]any{"ready": true, "url": "/user/u/"}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "u", "servers": servers})
	default:
		w.WriteHeader(202)
	}
}

func TestWaitServer(t *testing.T) {
	ready := "data: {\"progress\": 40, \"message\": \"half\"}\n\ndata: {\"progress\": 100, \"ready\": true, \"message\": \"Server ready\"}\n\n"
	for name, tt := range map[string]struct {
		s      *spawner
		failed string
	}{
		"ready":                     {&spawner{states: []string{"ready"}, stream: ready}, ""},
		"the stream ends early":     {&spawner{states: []string{"spawn", "ready"}, stream: ": keepalive\n\n"}, ""},
		"it failed":                 {&spawner{states: []string{""}, stream: "data: {\"failed\": true, \"message\": \"Spawn failed: pod/x did not start\"}\n\n"}, "pod/x did not start"},
		"it failed without words":   {&spawner{states: []string{""}, stream: "data: {\"failed\": true}\n\n"}, "does not say why"},
		"it is gone from the hub":   {&spawner{states: []string{""}, stream: "data: {\"message\": \"Server requested\"}\n\n"}, "Server requested"},
		"it is gone, without words": {&spawner{states: []string{""}}, "neither running nor starting"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, tt.s.ServeHTTP)
			s, err := c.WaitServer(t.Context(), "u", nil)
			var failed *SpawnError
			switch {
			case tt.failed == "" && (err != nil || s.URL != "/user/u/"):
				t.Errorf("%+v, %v", s, err)
			case tt.failed != "" && (!errors.As(err, &failed) || !strings.Contains(failed.Message, tt.failed)):
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWaitServerEndsWithItsContext(t *testing.T) {
	c := serve(t, (&spawner{states: []string{"spawn"}, stream: "data: {\"message\": \"pulling\"}\n\n"}).ServeHTTP)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.WaitServer(ctx, "u", nil); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "pulling") {
		t.Errorf("got %v", err)
	}
}

func TestStopServerInterruptsAndWaits(t *testing.T) {
	s := &spawner{states: []string{"spawn", "stop", ""}}
	if err := serve(t, s.ServeHTTP).StopServer(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET /hub/api/users/u", "DELETE /hub/api/users/u/server", "GET /hub/api/users/u", "GET /hub/api/users/u"}
	if d := cmp.Diff(want, s.asked); d != "" {
		t.Error(d)
	}
}

func TestStopServerWaitsForAHubThatChecksItsServers(t *testing.T) {
	s := &spawner{states: []string{"check", "check", "stop", ""}}
	if err := serve(t, s.ServeHTTP).StopServer(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	for _, asked := range s.asked {
		if strings.HasPrefix(asked, http.MethodDelete) {
			t.Errorf("asked to stop what it checks: %v", s.asked)
		}
	}
	if len(s.asked) != 4 {
		t.Errorf("asked %v", s.asked)
	}
}

func TestTokenOfASecret(t *testing.T) {
	c := &kube.Client{Context: "here", Interface: fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "hub", Name: "s"}, Data: map[string][]byte{"k": []byte("abc\n")}})}
	for _, tt := range []struct{ secret, key, want, says string }{
		{"s", "k", "abc", ""},
		{"s", "other", "", `nothing under the key "other"`},
		{"no", "k", "", `has no Secret "no"`},
	} {
		got, err := Token(t.Context(), c, "hub", config.SecretKey{Secret: tt.secret, Key: tt.key})
		if got != tt.want || (tt.says != "") != (err != nil) || (err != nil && !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s/%s: %q, %v", tt.secret, tt.key, got, err)
		}
	}
}

func FuzzProgress(f *testing.F) {
	f.Add("data: {\"progress\": 10, \"message\": \"a\"}\n\ndata: {\"ready\": true}\n\n")
	f.Add(": comment\r\ndata:{\"failed\":true,\ndata: \"message\":\"x\"}\r\n\r\n")
	f.Add("data: {\"progress\": 1e999}\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		err := readProgress(strings.NewReader(stream), func(p Progress) bool {
			if p.Percent < 0 || p.Percent > 100 || strings.ContainsAny(p.Message, "\n\r\x1b") {
				t.Errorf("%+v", p)
			}
			return !p.Failed
		})
		_ = err
	})
}

func TestProgressOfSeveralLinesIsOneEvent(t *testing.T) {
	var got []Progress
	stream := ": keep\n\nevent: x\ndata: {\"progress\": 50,\r\ndata: \"message\": \"m\"}\n\ndata: no json\n\ndata: {\"progress\": 250, \"ready\": true}\n\ndata: {\"message\": \"cut off\"}\n"
	if err := readProgress(strings.NewReader(stream), func(p Progress) bool { got = append(got, p); return true }); err != nil {
		t.Fatal(err)
	}
	want := []Progress{{Percent: 50, Message: "m"}, {Percent: 100, Ready: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
