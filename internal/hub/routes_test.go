package hub

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAServerIsRoutedWhenItAnswersItself(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string // "" for routed
		lost   bool
	}{
		"it is open":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, "", false},
		"it asks who we are": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "", false},
		"it sends us to log in": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/at/hub/api/oauth2/authorize?x=1", 302)
		}, "", false},
		"it knows no such page":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "", false},
		"the hub answers":          {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/at/hub/user/ada/api/status", 302) }, "no route", true},
		"it does not answer":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503", false},
		"the hub says not running": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFailedDependency) }, "424", false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/at/user/ada/api/status" || r.Header.Get("Authorization") != "" {
					t.Errorf("asked %s with %q", r.URL, r.Header.Get("Authorization"))
				}
				tt.answer(w, r)
			}))
			defer srv.Close()
			err := New(srv.URL+"/at/", "t0").Routed(t.Context(), "/at/user/ada/")
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var r *RouteError
			if !errors.As(err, &r) || r.Lost != tt.lost || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNobodyIsAskedForAServerElsewhere(t *testing.T) {
	for _, path := range []string{"//evil/user/ada/", "http://evil/", ""} {
		if err := New("http://127.0.0.1:1", "t0").Routed(t.Context(), path); err == nil || !strings.Contains(err.Error(), "no path") {
			t.Errorf("%q: %v", path, err)
		}
	}
	if err := New("http://127.0.0.1:1", "t0").Routed(t.Context(), "/user/ada/"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a proxy that is down: %v", err)
	}
}

func TestRunningAsksForActiveUsersAndLeavesOutTheOthers(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("state") != "active" {
			t.Errorf("asked %s", r.URL)
		}
		// A hub that does not know the question gives all.
		_, _ = w.Write([]byte(`[{"name":"ada","servers":{"":{"ready":true,"url":"/user/ada/"}}},{"name":"grace","servers":{}}]`))
	})
	users, err := c.Running(t.Context())
	if err != nil || len(users) != 1 || users[0].Name != "ada" || users[0].Servers[""].URL != "/user/ada/" {
		t.Errorf("%+v, %v", users, err)
	}
}

func TestRoutesAreSetAgainOnRequest(t *testing.T) {
	asked := false
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked = r.Method == http.MethodPost && r.URL.Path == "/hub/api/proxy"
	})
	if err := c.SyncRoutes(t.Context()); err != nil || !asked {
		t.Errorf("%v, asked %v", err, asked)
	}
}
