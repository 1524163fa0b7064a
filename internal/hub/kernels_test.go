package hub

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestKernelsAreAskedOfTheServerItself(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token t" {
			http.Error(w, "who?", http.StatusForbidden)
			return
		}
		switch r.URL.Path {
		case "/jupyter/user/ada/api/kernels":
			_, _ = w.Write([]byte(`[{"id": "1", "execution_state": "busy"}, {"id": "2"}]`))
		case "/jupyter/user/grace/api/kernels":
			http.Redirect(w, r, "/hub/api/oauth2/authorize", http.StatusFound)
		default:
			http.Error(w, "no such server", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(srv.Close)
	c := New(srv.URL+"/jupyter/", "t") // a hub below a path: servers' addresses begin with it
	if n, err := c.Kernels(t.Context(), Server{URL: "/jupyter/user/ada/"}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := c.Kernels(t.Context(), Server{URL: "/jupyter/user/grace/"}); !errors.Is(err, ErrNoAccess) {
		t.Errorf("sent to a login: %v", err)
	}
	if _, err := New(srv.URL, "other").Kernels(t.Context(), Server{URL: "/jupyter/user/ada/"}); !errors.Is(err, ErrNoAccess) {
		t.Errorf("another token: %v", err)
	}
	if _, err := c.Kernels(t.Context(), Server{URL: "/jupyter/user/none/"}); err == nil || errors.Is(err, ErrNoAccess) {
		t.Errorf("a server that is down: %v", err)
	}
	for _, url := range []string{"", "http://elsewhere/", "//elsewhere/"} { // the token goes nowhere else
		if _, err := c.Kernels(t.Context(), Server{URL: url}); err == nil {
			t.Errorf("%q was asked", url)
		}
	}
}
