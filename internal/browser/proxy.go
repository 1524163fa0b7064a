package browser

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// passCookie lets the browser through the proxy, and nobody else on the machine.
const passCookie = "gauntlet-pass"

// A proxy stands between the browser and the hub. It adds the token to every request, so
// that the browser never has it, and makes the hub see requests to itself.
type proxy struct {
	hub    *url.URL
	pass   string
	server *http.Server
	at     *url.URL
	served chan error // what the server ended with
}

// newProxy begins to serve on a free port of this machine alone.
func newProxy(hub *url.URL, token string, seen func(method, path string, status int)) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	p := &proxy{hub: hub, pass: rand.Text(), at: &url.URL{Scheme: "http", Host: l.Addr().String()}, served: make(chan error, 1)}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: hub.Scheme, Host: hub.Host})
			r.Out.Host = hub.Host
			r.Out.Header.Set("Authorization", "token "+token)
			// A token needs no protection against forged requests, and servers compare
			// an Origin with their own name.
			r.Out.Header.Del("Origin")
			r.Out.Header.Del("Referer")
			p.dropPass(r.Out)
		},
		ModifyResponse: func(r *http.Response) error {
			seen(r.Request.Method, r.Request.URL.Path, r.StatusCode)
			if to, err := r.Location(); err == nil && to.Host == hub.Host {
				r.Header.Set("Location", to.RequestURI())
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				seen(r.Method, r.URL.Path, http.StatusBadGateway)
			}
			http.Error(w, "the hub does not answer: "+err.Error(), http.StatusBadGateway)
		},
	}
	p.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(passCookie)
		if err != nil || subtle.ConstantTimeCompare([]byte(c.Value), []byte(p.pass)) != 1 {
			http.Error(w, "this address is for gauntlet's browser", http.StatusForbidden)
			return
		}
		forward.ServeHTTP(w, r)
	})}
	go func() { p.served <- p.server.Serve(l) }()
	return p, nil
}

// dropPass keeps the cookie of the proxy from the hub.
func (p *proxy) dropPass(r *http.Request) {
	var keep []string
	for _, c := range r.Cookies() {
		if c.Name != passCookie {
			keep = append(keep, c.Name+"="+c.Value)
		}
	}
	r.Header.Del("Cookie")
	if len(keep) > 0 {
		r.Header.Set("Cookie", strings.Join(keep, "; "))
	}
}

func (p *proxy) close() error {
	err := p.server.Close()
	if serr := <-p.served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}
