package suites

import (
	"context"
	"fmt"
	"slices"

	"gauntlet/internal/check"
	"gauntlet/internal/release"
)

// An OlderServer runs another notebook than the release's. Its user is to restart it.
type OlderServer struct {
	UserServer
	Notebook release.Digest `json:"notebook,omitempty"` // "" when its pod does not tell
	// Unpaired says that a Dask cluster which it starts from now on has workers that
	// were never paired with its notebook.
	Unpaired bool `json:"unpaired,omitempty"`
}

// Older are the servers that went on running through the change and run another notebook
// than the release's, by user; known once the suite "upgrade" has run.
func (s *Standing) Older() []OlderServer { return s.older }

// checkOlder says whose servers run another notebook than the release's, and warns when
// the workers that they get now were never paired with it.
func (u *upgrade) checkOlder(context.Context) (string, error) {
	u.older = olderServers(u.kept, u.p.t.Notebook, u.p.t.Paired)
	return olderVerdict(len(u.kept), u.older)
}

// olderServers are those of servers that do not run the notebook. paired says of another
// notebook whether it was paired with the workers that it gets; nil: every one was.
func olderServers(servers []UserServer, notebook release.Digest, paired func(release.Digest) bool) []OlderServer {
	var out []OlderServer
	for _, s := range servers {
		if slices.Contains(s.images, notebook) {
			continue
		}
		o := OlderServer{UserServer: s}
		if len(s.images) > 0 {
			o.Notebook = s.images[0]
		}
		o.Unpaired = paired != nil && !slices.ContainsFunc(s.images, paired)
		out = append(out, o)
	}
	return out
}

func olderVerdict(n int, older []OlderServer) (string, error) {
	var all, unpaired []UserServer
	for _, o := range older {
		all = append(all, o.UserServer)
		if o.Unpaired {
			unpaired = append(unpaired, o.UserServer)
		}
	}
	switch {
	case n == 0:
		return "no user has a server", nil
	case len(unpaired) > 0:
		return "", check.Warning{Message: fmt.Sprintf("%d of %d run an older notebook, and a Dask cluster that they start now has workers which were never paired with it: "+
			"tell %s to restart their servers", len(unpaired), n, named(unpaired))}
	case len(all) > 0:
		return fmt.Sprintf("%d of %d run an older notebook, with workers that it was paired with, until their users restart them: %s", len(all), n, named(all)), nil
	}
	return fmt.Sprintf("%d of %d run the release's notebook", n, n), nil
}
