package browser

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"

	"gauntlet/internal/kube"
)

// A Route answers requests to other places than the hub whose addresses begin with Prefix
// from the files of a folder.
type Route struct {
	Prefix string // https://cdn.jsdelivr.net/npm/leaflet@1.9.3/
	Dir    string
}

// A Fault is something that went wrong in the browser.
type Fault struct {
	Kind string // one of the constants below
	Text string // one line; quotes pages, so untrusted
}

// Kinds of faults.
const (
	Exception  = "exception"  // of JavaScript that nobody caught
	Request    = "request"    // to the hub, which failed
	Undeclared = "undeclared" // a request to a place that nobody declared: it was refused
)

func (f Fault) String() string { return f.Text }

// notes are what is known of the page.
type notes struct {
	served            []Route
	through, missable []string

	mu     sync.Mutex
	list   []Fault
	others map[network.RequestID]string // requests to other places that must not fail
}

func (n *notes) add(kind, format string, a ...any) {
	f := Fault{kind, kube.OneLine(fmt.Sprintf(format, a...))}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) < 100 && !slices.Contains(n.list, f) {
		n.list = append(n.list, f)
	}
}

func (n *notes) faults() []Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.list
	n.list = nil
	return out
}

// take notes what the browser tells of the page's programs and of its requests to other
// places. Those to the hub are known better from the proxy.
func (n *notes) take(ev any) {
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		d := e.ExceptionDetails
		text := d.Text
		if d.Exception != nil && d.Exception.Description != "" {
			text = d.Exception.Description
		}
		n.add(Exception, "%s", text)
	case *network.EventRequestWillBeSent:
		if n.passes(e.Request.URL) && !begins(e.Request.URL, n.missable) {
			n.mu.Lock()
			n.others[e.RequestID] = e.Request.URL
			n.mu.Unlock()
		}
	case *network.EventResponseReceived:
		if at := n.other(e.RequestID); at != "" && e.Response.Status >= http.StatusBadRequest {
			n.add(Request, "%s: %d %s", at, e.Response.Status, http.StatusText(int(e.Response.Status)))
		}
	case *network.EventLoadingFailed:
		if at := n.other(e.RequestID); at != "" {
			n.add(Request, "%s: %s", at, e.ErrorText)
		}
	}
}

// other is the address of a request to another place, "" of one that nobody asks for.
func (n *notes) other(id network.RequestID) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.others[id]
}

// passes says that a request to another place is let through, unless it is served.
func (n *notes) passes(at string) bool { return begins(at, n.through) || begins(at, n.missable) }

func begins(at string, with []string) bool {
	return slices.ContainsFunc(with, func(p string) bool { return strings.HasPrefix(at, p) })
}

// answered notes what the hub answered.
func (n *notes) answered(method, at string, status int) {
	if status >= http.StatusBadRequest && !usual.MatchString(at) {
		n.add(Request, "%s %s: %d %s", method, at, status, http.StatusText(status))
	}
}

// usual are requests of JupyterLab that fail on a good server too: it asks for what need
// not be there.
var usual = regexp.MustCompile(`/(api/contents/|api/me|lab/api/workspaces|lab/api/translations|static/favicons|lsp/|api/nbconvert|files/)`)

func (n *notes) refused(at string) {
	if u, err := url.Parse(at); err == nil {
		u.RawQuery, u.Fragment = "", ""
		at = u.String()
	}
	n.add(Undeclared, "%s", at)
}

// tile is how tiles of maps are asked for: ZOOM/COLUMN/ROW.
var tile = regexp.MustCompile(`/(\d{1,2})/(\d{1,7})/(\d{1,7})(@2x)?\.(png|jpg|jpeg)$`)

// serve is the answer to a request to another place: a file of a route, or a tile of a
// map of ours.
func (n *notes) serve(at string) (kind string, body []byte, ok bool) {
	u, err := url.Parse(at)
	if err != nil {
		return "", nil, false
	}
	u.RawQuery, u.Fragment = "", ""
	for _, r := range n.served {
		rest, found := strings.CutPrefix(u.String(), r.Prefix)
		if !found || rest != "" && !filepath.IsLocal(filepath.FromSlash(rest)) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(r.Dir, filepath.FromSlash(rest)))
		if err != nil {
			continue
		}
		kind := mime.TypeByExtension(path.Ext(rest))
		if kind == "" {
			kind = http.DetectContentType(data)
		}
		return kind, data, true
	}
	if m := tile.FindStringSubmatch(u.Path); m != nil {
		return "image/png", drawTile(m[1] + "/" + m[2] + "/" + m[3]), true
	}
	return "", nil, false
}

// drawTile is a tile of a map: a plain colour of its own with a frame, always the same.
func drawTile(name string) []byte {
	const size = 256
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	sum := h.Sum32()
	fill := color.RGBA{160 + uint8(sum)%64, 180 + uint8(sum>>8)%64, 160 + uint8(sum>>16)%64, 255}
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			c := fill
			if x == 0 || y == 0 {
				c = color.RGBA{90, 90, 90, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // never fails on a buffer
	return b.Bytes()
}
