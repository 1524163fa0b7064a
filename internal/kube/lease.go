package kube

import (
	"crypto/rand"
	"os"
	"os/user"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// DefaultHolder is this user on this machine, as a lock names its holder.
func DefaultHolder() string {
	name := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// nonce tells two runs of the same holder apart.
func nonce() string { return strings.ToLower(rand.Text()[:10]) }

// publicHolder is a holder as others read it: without its nonce, and harmless to
// print, since anybody who may write the lease may have written it.
func publicHolder(identity string) string {
	name, _, _ := strings.Cut(identity, " ")
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	if name == "" {
		return "nobody"
	}
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "") + "…"
	}
	return name
}

func holderOf(l *coordinationv1.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

func transitions(l *coordinationv1.Lease) int32 {
	if l.Spec.LeaseTransitions == nil {
		return 0
	}
	return *l.Spec.LeaseTransitions
}

func acquiredAt(l *coordinationv1.Lease) time.Time {
	if l.Spec.AcquireTime == nil {
		return time.Time{}
	}
	return l.Spec.AcquireTime.Time
}

// An instant is a point in time by both clocks: the wall clock, which can be set,
// and the monotonic one, which stands still while the machine sleeps.
type instant struct {
	wall time.Time
	mono time.Duration // since an arbitrary beginning
}

// since is the longer of the times that have passed by the two clocks.
func (i instant) since(before instant) time.Duration {
	return max(i.wall.Sub(before.wall), i.mono-before.mono)
}

type clock func() instant

func systemClock() clock {
	begin := time.Now()
	return func() instant {
		now := time.Now()
		return instant{wall: now.Round(0), mono: now.Sub(begin)}
	}
}
