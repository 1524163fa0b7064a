package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// killDrills are about who is interrupted while a hub is changed.
func killDrills(t *testing.T) {
	l := newLine(t, "drill-kills", 30307)
	l.sub("gauntlet killed in the middle", l.gauntletKilled)
	l.sub("helm killed in the middle", l.helmKilled)
}

// lockDrills are about who changes a hub.
func lockDrills(t *testing.T) {
	l := newLine(t, "drill-lock", 30382)
	l.sub("two gauntlets at once", l.twoAtOnce)
	l.sub("a lock holder paused past its expiry", l.pausedHolder)
}

// held is the Lease of the hub's lock with somebody in it.
func held(object any) bool {
	lease, ok := object.(*coordinationv1.Lease)
	return ok && lease.Name == kube.LockName && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != ""
}

// twoAtOnce runs the same commit twice: one deploys, the other says who does.
func (l *line) twoAtOnce() {
	chart("hook-slow")(l)
	l.commit("A drill: two at once")
	before, known := l.revision(), l.count()["deployment"]
	watch := l.watch(held)
	a, b := l.start(nil, "run", "--key", "ci"), l.start(nil, "run", "--key", "ci")
	a.wait(drillLimit)
	b.wait(drillLimit)
	row := drillRow{Name: "two gauntlets at once", Hub: l.name, Peaceful: true, Started: b.started, Ended: b.ended, Observable: watch.stop()}
	who := kube.DefaultHolder() + " changes this hub since"
	at, said := b.first(who)
	if other, words := a.first(who); at.IsZero() || !other.IsZero() && other.Before(at) {
		at, said, row.Started, row.Ended = other, words, a.started, a.ended
	}
	row.Named, row.Cause = at, said
	if at.IsZero() {
		l.t.Errorf("neither says who holds the lock:\n%s\n%s", a.all(), b.all())
	}
	if a.code != 0 || b.code != 0 {
		l.t.Errorf("exit codes %d and %d, expected 0\n%s\n%s", a.code, b.code, a.all(), b.all())
	}
	if now := l.revision(); now != before+1 {
		l.t.Errorf("revision %d came after %d: exactly one of two deploys", now, before)
	}
	if now := l.count()["deployment"]; now != known+1 {
		l.t.Errorf("the ledger knows of %d more deployments, expected one", now-known)
	}
	l.settle(&row)
}

// gauntletKilled ends gauntlet while Helm's record is pending, and runs it again.
func (l *line) gauntletKilled() {
	value("jupyterhub.singleuser.storage.capacity", "270Mi")(l)
	l.commit("A drill: killed in the middle")
	before := l.revision()
	dead := l.start([]string{kill.Env + "=deploy:pending"}, "run", "--key", "ci")
	dead.wait(drillLimit)
	if dead.code != -1 {
		l.t.Fatalf("the run was not killed: exit code %d\n%s", dead.code, dead.all())
	}
	p := l.start(nil, "run", "--key", "ci")
	p.wait(drillLimit)
	row := drillRow{Name: "gauntlet killed in the middle", Hub: l.name, Peaceful: true, Observable: dead.ended, Started: p.started, Ended: p.ended}
	// Until the lock of the dead one has gone stale it says whom it waits for.
	row.Named, _ = p.first(kube.DefaultHolder() + " changes this hub since")
	_, row.Cause = p.first(fmt.Sprintf("revision %d was interrupted", before+1))
	if p.code != 0 || row.Named.IsZero() || row.Cause == "" {
		l.t.Errorf("exit code %d, and it says: %q\n%s", p.code, row.Cause, p.all())
	}
	if now := l.revision(); now != before+2 {
		l.t.Errorf("revision %d came after %d: at most one interrupted one may lie between", now, before)
	}
	l.settle(&row)
}

// helmKilled kills somebody's own helm in the middle of an upgrade, which leaves a
// record that stays pending for ever. Gauntlet must not take that for its own.
func (l *line) helmKilled() {
	chart("hook-slow")(l)
	helm := l.plainHelm(nil)
	for deadline := time.Now().Add(time.Minute); !l.pending(); {
		if time.Now().After(deadline) {
			l.t.Fatal("helm makes no pending record")
		}
	}
	helm.kill()
	l.reset()
	value("jupyterhub.singleuser.storage.capacity", "275Mi")(l)
	l.commit("A drill: helm killed in the middle")
	before := l.revision()
	p := l.start(nil, "run", "--key", "ci")
	p.wait(drillLimit)
	row := drillRow{Name: "helm killed in the middle", Hub: l.name, Started: p.started, Ended: p.ended, Observable: p.started, Foreseen: true}
	row.Cause = p.failure()
	row.Named, _ = p.first("pending-upgrade", "not made by gauntlet")
	if p.code != 1 || row.Named.IsZero() || l.revision() != before {
		l.t.Errorf("exit code %d, and it says: %q\n%s", p.code, row.Cause, p.all())
	}
	// The way out that it names.
	if !holds(row.Cause, "gauntlet unstick") {
		l.t.Errorf("it names no way out: %s", row.Cause)
	}
	l.gauntlet(0, "unstick", "testing", "--yes", "--key", "ci")
	l.gauntlet(0, "deploy", statusOf(l.team).Release.Hex(), "testing", "--adopt", "--key", "ci")
	l.settle(&row)
}

// pausedHolder stops gauntlet while it holds the lock, until another has taken it
// over and deployed, and lets it go on: it may not change anything any more.
func (l *line) pausedHolder() {
	chart("hook-slow")(l)
	value("jupyterhub.singleuser.storage.capacity", "280Mi")(l)
	l.commit("A drill: paused")
	before := l.revision()
	paused := l.start(nil, "run", "--key", "ci")
	paused.until("Job/migrate")
	paused.signal(syscall.SIGSTOP)
	defer paused.signal(syscall.SIGCONT)

	other := l.start(nil, "run", "--key", "ci")
	other.until(fmt.Sprintf("revision %d was interrupted", before+1))
	other.wait(drillLimit)
	if other.code != 0 {
		l.t.Errorf("the one that took over ended with %d\n%s", other.code, other.all())
	}
	written := l.written()
	woken := time.Now()
	paused.signal(syscall.SIGCONT)
	paused.wait(drillLimit)
	row := drillRow{Name: "a lock holder paused past its expiry", Hub: l.name, Observable: woken, Started: paused.started, Ended: paused.ended}
	row.Named, _ = paused.first("lock", "could not be kept")
	row.Cause = paused.failure()
	if paused.code != 1 || !holds(row.Cause, "lock", "could not be kept") {
		l.t.Errorf("exit code %d: %s\n%s", paused.code, row.Cause, paused.all())
	}
	if holds(row.Cause, "kubelet") {
		l.t.Errorf("it takes the time in which it stood still for the silence of a node: %s", row.Cause)
	}
	if now := l.written(); now != written {
		l.t.Errorf("it wrote after it had lost the lock:\n%s\nand before:\n%s", now, written)
	}
	l.settle(&row)
}

// written is the version of everything in the namespace that a deploy writes.
func (l *line) written() string {
	l.t.Helper()
	var b strings.Builder
	b.WriteString(l.kubectl(lab.BleedingEdge, "-n", l.name, "get", "secrets,configmaps,services,serviceaccounts,roles,rolebindings,persistentvolumeclaims",
		"--no-headers", "-o", "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion"))
	list, err := l.client.AppsV1().Deployments(l.name).List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, d := range list.Items { // its status changes by itself
		fmt.Fprintf(&b, "Deployment %s %d\n", d.Name, d.Generation)
	}
	return b.String()
}
