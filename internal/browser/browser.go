// Package browser shows JupyterLab in a real Chromium, as a user of a hub sees it, and
// notes what goes wrong there: exceptions of JavaScript, requests that fail, requests to
// places that nobody declared.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Options say what the browser shows.
type Options struct {
	Hub   string // address of the hub, as users type it
	Token string // of a user of it
	// Requests to other places than the hub are answered by Served; else let through when
	// their addresses begin as one of Through or Missable says; else refused. What fails is
	// a fault, but for those of Missable.
	Served            []Route
	Through, Missable []string
}

// programs are the names under which systems have Chromium.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// A MissingError says that there is no browser on this machine.
type MissingError struct{}

func (e *MissingError) Error() string {
	return "there is no Chromium on this machine: install it with `apt-get install chromium`"
}

// Find is the path of Chromium, the error a *MissingError.
func Find() (string, error) {
	for _, n := range programs {
		if at, err := exec.LookPath(n); err == nil {
			return at, nil
		}
	}
	return "", &MissingError{}
}

// The size of the window, in pixels: tall, so that what a cell draws is seen whole.
const width, height = 1200, 1600

// A Browser is a running Chromium with one page.
type Browser struct {
	proxy   *proxy
	profile string
	page    context.Context // of chromedp
	close   func()
	notes   notes
}

// startTime bounds the start of the program.
const startTime = time.Minute

// Start starts Chromium without a window. It must be closed; when ctx ends, so does it.
func Start(ctx context.Context, o Options) (*Browser, error) {
	program, err := Find()
	if err != nil {
		return nil, err
	}
	hub, err := url.Parse(o.Hub)
	if err != nil || hub.Host == "" {
		return nil, fmt.Errorf("%q is no address of a hub", o.Hub)
	}
	b := &Browser{notes: notes{served: o.Served, through: o.Through, missable: o.Missable, others: map[network.RequestID]string{}}}
	sweep()
	if b.profile, err = os.MkdirTemp("", fmt.Sprintf("%s%d-", folder, os.Getpid())); err != nil {
		return nil, fmt.Errorf("make the browser's folder: %w", err)
	}
	if b.proxy, err = newProxy(hub, o.Token, b.notes.answered); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.profile))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(filepath.Join(b.profile, "profile")), chromedp.WindowSize(width, height),
		chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("hide-scrollbars", true),
	)
	if os.Getuid() == 0 { // Chromium has no sandbox for root
		options = append(options, chromedp.NoSandbox)
	}
	allocated, stop := chromedp.NewExecAllocator(ctx, options...)
	page, cancel := chromedp.NewContext(allocated)
	b.page = page
	b.close = func() {
		// A browser that does not answer must not keep its caller.
		closing, done := context.WithTimeout(page, 5*time.Second)
		_ = chromedp.Cancel(closing)
		done()
		cancel()
		stop()
	}
	started := make(chan error, 1)
	go func() { started <- b.begin(page) }()
	select {
	case err = <-started:
	case <-time.After(startTime):
		err = fmt.Errorf("it did not start in %s", startTime)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), b.Close())
	}
	return b, nil
}

// begin starts the program and what is watched of its page. The context is the browser's
// own: it lives as long.
func (b *Browser) begin(page context.Context) error {
	if err := chromedp.Listen(page, b.event); err != nil {
		return err
	}
	https := true
	for _, step := range []func() error{
		func() error { return call(page, network.Enable, network.EnableParams{}) },
		func() error { return call(page, runtime.Enable, cdp.Empty{}) },
		func() error {
			return call(page, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "http://*"}, {URLPattern: "https://*"}}})
		},
		func() error {
			return call(page, network.SetCookie, network.SetCookieParams{Name: passCookie, Value: b.proxy.pass, URL: b.proxy.at.String(), HTTPOnly: &https})
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// call sends a command of the DevTools protocol and leaves its result alone.
func call[P, R any](ctx context.Context, c cdp.Command[P, R], params P) error {
	_, err := chromedp.Call(ctx, c, params)
	return err
}

// folder is how the name of a browser's folder begins; then comes the process that made it.
const folder = "gauntlet-browser-"

// sweep removes the folders of processes that were killed. Their browsers died with them.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), folder+"*"))
	for _, dir := range left {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folder), "-")
		pid, err := strconv.Atoi(id)
		if err != nil || pid == os.Getpid() || syscall.Kill(pid, 0) != syscall.ESRCH {
			continue
		}
		_ = os.RemoveAll(dir) // another user's cannot be
	}
}

// Close ends the browser and removes all that it has written.
func (b *Browser) Close() error {
	b.close()
	err := b.proxy.close()
	return errors.Join(err, os.RemoveAll(b.profile))
}

// event takes what the browser tells. It must not block.
func (b *Browser) event(ev any) {
	switch e := ev.(type) {
	case *fetch.EventRequestPaused:
		go b.answer(e)
	default:
		b.notes.take(ev)
	}
}

// answer lets a request to the hub pass, and answers or refuses one to another place. A
// page that is gone meanwhile needs no answer.
func (b *Browser) answer(e *fetch.EventRequestPaused) {
	to, err := url.Parse(e.Request.URL)
	if err == nil && to.Host == b.proxy.at.Host {
		_ = call(b.page, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
		return
	}
	kind, data, ok := b.notes.serve(e.Request.URL)
	switch {
	case !ok && b.notes.passes(e.Request.URL):
		_ = call(b.page, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
		return
	case !ok:
		b.notes.refused(e.Request.URL)
		_ = call(b.page, fetch.FailRequest, fetch.FailRequestParams{RequestID: e.RequestID, ErrorReason: network.ErrorReasonInternetDisconnected})
		return
	}
	_ = call(b.page, fetch.FulfillRequest, fetch.FulfillRequestParams{
		RequestID: e.RequestID, ResponseCode: 200, Body: data,
		ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: kind}, {Name: "Access-Control-Allow-Origin", Value: "*"}},
	})
}

// Faults are what went wrong since it was asked the last time.
func (b *Browser) Faults() []Fault { return b.notes.faults() }

// within is the page's context, which ends with ctx too.
func (b *Browser) within(ctx context.Context) (context.Context, func()) {
	page, cancel := context.WithCancelCause(b.page)
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return page, func() { stop(); cancel(nil) }
}

// do runs steps on the page while ctx lasts.
func (b *Browser) do(ctx context.Context, steps ...chromedp.Action[chromedp.Void]) error {
	page, done := b.within(ctx)
	defer done()
	return ended(ctx, chromedp.Do(page, steps...))
}

// evaluate is the value of a JavaScript expression on the page.
func evaluate[T any](ctx context.Context, b *Browser, expression string) (T, error) {
	page, done := b.within(ctx)
	defer done()
	v, err := chromedp.Run(page, chromedp.Evaluate[T](expression))
	return v, ended(ctx, err)
}

// ended prefers why ctx ended to what the browser says about it.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
