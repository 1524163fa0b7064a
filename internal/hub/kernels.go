package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrNoAccess is wrapped by what is refused because the token may not reach users'
// servers.
var ErrNoAccess = errors.New("the hub's API token may not look into users' servers")

// Kernels is how many kernels a user's server runs: the server itself is asked, so the
// token needs the scope access:servers for it. Without, the error wraps ErrNoAccess.
func (c *Client) Kernels(ctx context.Context, s Server) (int, error) {
	if !strings.HasPrefix(s.URL, "/") || strings.HasPrefix(s.URL, "//") {
		return 0, errors.New("a server has no address on its hub")
	}
	// The hub's address may have a path of its own, which the server's begins with.
	root := c.base
	if i := strings.Index(root, "://"); i >= 0 {
		if j := strings.IndexByte(root[i+3:], '/'); j >= 0 {
			root = root[:i+3+j]
		}
	}
	at := &Client{base: root, token: c.token, http: c.http}
	var list []struct{}
	_, err := at.do(ctx, "count the kernels of a server", http.MethodGet, strings.TrimRight(s.URL, "/")+"/api/kernels", nil, &list)
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized || e.Status/100 == 3) {
		return 0, fmt.Errorf("%w (%d)", ErrNoAccess, e.Status)
	}
	return len(list), err
}
