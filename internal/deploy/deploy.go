// Package deploy brings a hub to a deployable through Helm, under the lock of the
// hub's namespace, and reads back what a hub runs.
package deploy

import (
	"time"

	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A Request is one hub and what it shall run.
type Request struct {
	Client      *kube.Client
	Namespace   string
	ReleaseName string         // of the Helm release
	Chart       []byte         // the packaged chart (.tgz)
	Values      release.Values // whole: image slots filled, access values and decrypted secrets merged in

	Deployable release.Digest
	Access     release.Digest
	Release    release.Digest

	Adopt   bool          // take over a Helm release whose newest revision gauntlet did not make
	Holder  string        // who holds the lock, for others to read; default user@host
	Timeout time.Duration // for hooks and rollout; default 10 minutes
	Observe func(Event)   // may be nil
}

// An Event is a line of progress.
type Event struct {
	Step    string    // "lock", "state", "apply", "hook", "rollout"
	Object  string    // what is waited for ("Deployment/hub"), "" when nothing is
	Since   time.Time // when the wait for it began
	Message string    // one line for people; may quote the cluster, so untrusted
}

// A Result is what Deploy left behind.
type Result struct {
	Revision int  // of the Helm release
	Reused   bool // the hub already ran it: no new revision was made
	Started  time.Time
	Finished time.Time // both by the cluster's API server
}
