package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// waits waits for what Helm makes: hooks and the rollout. It ends with ctx, while
// what is applied goes on.
type waits struct {
	ctx       context.Context
	client    *kube.Client
	namespace string
	graces    config.Graces
	observe   func(Event)
	hooks     []helm.Object // DaemonSets that hooks of this run made

	views   map[string]*kube.View // by namespace
	settled *settling
	logs    map[logAt]quoted
	nodes   nodeMemory
}

// newWaits prepares the waits of one change to a hub; close ends what they watch.
func newWaits(ctx context.Context, client *kube.Client, r Request) *waits {
	g := r.Graces.OrDefault()
	return &waits{ctx: ctx, client: client, namespace: r.Namespace, graces: g, observe: r.Observe,
		views: map[string]*kube.View{}, logs: map[logAt]quoted{}, nodes: nodeMemory{client: client},
		settled: &settling{settle: g.Settle, running: map[string]time.Time{}, known: map[runKey]int32{}}}
}

// begin looks at what runs before anything is changed, so that what is started anew
// can be told from it. What cannot be seen then is taken for new.
func (w *waits) begin() {
	v, err := w.view(w.ctx, w.namespace)
	if err != nil {
		return // the first wait says so
	}
	snap := v.Snapshot()
	for _, d := range snap.Deployments {
		_, pods, _ := deploymentPods(snap, d)
		w.settled.begin("Deployment/"+d.Name, pods, snap.Now)
	}
	for _, s := range snap.StatefulSets {
		w.settled.begin("StatefulSet/"+s.Name, snap.PodsOf(s, s.Spec.Selector), snap.Now)
	}
	for _, d := range snap.DaemonSets {
		w.settled.begin("DaemonSet/"+d.Name, snap.PodsOf(d, d.Spec.Selector), snap.Now)
	}
}

func (w *waits) close() {
	for _, v := range w.views {
		v.Close()
	}
}

// view is what a namespace holds; it is watched from when it is first asked for.
func (w *waits) view(ctx context.Context, namespace string) (*kube.View, error) {
	if v := w.views[namespace]; v != nil {
		return v, nil
	}
	v, err := w.client.View(w.ctx, namespace)
	if err != nil {
		return nil, err
	}
	w.views[namespace] = v
	if names := v.Unread(); names != "" {
		w.tell(Event{Step: "state", Message: fmt.Sprintf("this user may not read the %s of namespace %s: some causes will be named later or not at all", names, namespace)})
	}
	return v, ctx.Err()
}

// Rollout waits until the workloads among the objects run what was applied.
func (w *waits) Rollout(objects []helm.Object, timeout time.Duration) error {
	var list []helm.Object
	for _, o := range objects {
		switch o.Kind {
		case "Deployment", "StatefulSet", "DaemonSet":
			list = append(list, o)
		}
	}
	return w.until("rollout", timeout, list, func(l *look, at func(helm.Object) *kube.Snapshot) []status {
		var all []status
		for _, o := range list {
			all = append(all, l.workload(at(o), o))
		}
		return all
	})
}

// Hook waits until the hook's Jobs and Pods have finished. While it waits, it also
// watches the pods of DaemonSets that earlier hooks made.
func (w *waits) Hook(objects []helm.Object, timeout time.Duration) error {
	var list []helm.Object
	for _, o := range objects {
		switch o.Kind {
		case "Job", "Pod":
			list = append(list, o)
		case "DaemonSet":
			w.hooks = append(w.hooks, o)
		}
	}
	return w.until("hook", timeout, list, func(l *look, at func(helm.Object) *kube.Snapshot) []status {
		var all []status
		for _, o := range list {
			all = append(all, l.hook(at(o), o, w.hooks))
		}
		return all
	})
}

// Times of a wait.
const (
	lookEvery  = time.Second            // without a change: graces run out, clocks go on
	notOftener = 50 * time.Millisecond  // however much changes
	tellAgain  = 30 * time.Second       // what has not changed
	tellSoon   = 10 * time.Second       // a cause whose words have changed
	firstLook  = 200 * time.Millisecond // between tries to ask a cluster that is away
	stoodStill = 5 * time.Second        // in a pause: the program was stopped, or the machine slept
	catchUp    = 3 * time.Second        // for watches to tell what happened meanwhile
)

// until looks, whenever something has changed, until everything is done, a problem has
// lasted too long, or the time is over. An API server that is away is waited for: they
// restart.
func (w *waits) until(step string, timeout time.Duration, list []helm.Object, assess func(*look, func(helm.Object) *kube.Snapshot) []status) error {
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(w.ctx, timeout, fmt.Errorf("not done in %s", timeout))
	defer cancel()
	t := &telling{waits: w, step: step, begun: time.Now(), until: time.Now().Add(timeout), lines: map[string]line{}, troubles: troubles{}}

	l, err := w.open(ctx, t, list)
	if err != nil {
		return err
	}
	home := w.views[cmpNamespace(list[0], w.namespace)]
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		all := w.assess(ctx, l, assess)
		now := time.Now()
		done, err := t.see(ctx, all, now)
		if done || err != nil {
			return err
		}
		paused := time.Now().Round(0) // the clock that goes on while the machine sleeps
		err = w.pause(ctx, home, tick.C)
		if gap := time.Since(paused); err == nil && gap > stoodStill {
			err = t.wake(ctx, gap)
		}
		if err != nil {
			return over(err, all, t.troubles, now, t.failing, time.Since(t.begun))
		}
		t.away(w.broken(ctx))
	}
}

func cmpNamespace(o helm.Object, home string) string {
	if o.Namespace == "" {
		return home
	}
	return o.Namespace
}

// open watches the namespaces of the objects and reads which versions of them were
// applied.
func (w *waits) open(ctx context.Context, t *telling, list []helm.Object) (*look, error) {
	l := &look{graces: w.graces, settled: w.settled, least: map[helm.Object]version{}, nodes: map[string]bool{}}
	for {
		err := w.tryOpen(ctx, l, list)
		if err == nil {
			return l, nil
		}
		if apierrors.IsForbidden(err) {
			return nil, err
		}
		if ctx.Err() == nil {
			t.away(err)
		}
		if serr := kube.Sleep(ctx, firstLook); serr != nil {
			return nil, over(serr, nil, nil, time.Now(), err, time.Since(t.begun))
		}
	}
}

func (w *waits) tryOpen(ctx context.Context, l *look, list []helm.Object) error {
	for _, o := range list {
		v, err := w.view(ctx, cmpNamespace(o, w.namespace))
		if err != nil {
			return err
		}
		m, err := w.live(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return err
		default:
			l.least[o] = version{m.GetUID(), m.GetGeneration(), m.GetCreationTimestamp().Time}
		}
		l.begun = v.Now()
	}
	return nil
}

// live asks the API server itself for an object.
func (w *waits) live(ctx context.Context, o helm.Object) (metav1.Object, error) {
	ns, get := cmpNamespace(o, w.namespace), metav1.GetOptions{}
	switch o.Kind {
	case "Deployment":
		return w.client.AppsV1().Deployments(ns).Get(ctx, o.Name, get)
	case "StatefulSet":
		return w.client.AppsV1().StatefulSets(ns).Get(ctx, o.Name, get)
	case "DaemonSet":
		return w.client.AppsV1().DaemonSets(ns).Get(ctx, o.Name, get)
	case "Job":
		return w.client.BatchV1().Jobs(ns).Get(ctx, o.Name, get)
	case "Pod":
		return w.client.CoreV1().Pods(ns).Get(ctx, o.Name, get)
	}
	return nil, fmt.Errorf("no way to wait for a %s", o.Kind)
}

// assess looks at what is watched. When that asks for nodes it asks for them, and
// looks once more.
func (w *waits) assess(ctx context.Context, l *look, assess func(*look, func(helm.Object) *kube.Snapshot) []status) []status {
	snaps := map[string]*kube.Snapshot{}
	at := func(o helm.Object) *kube.Snapshot {
		ns := cmpNamespace(o, w.namespace)
		if snaps[ns] == nil {
			snaps[ns] = &kube.Snapshot{}
			if v := w.views[ns]; v != nil {
				snaps[ns] = v.Snapshot()
			}
			snaps[ns].Nodes, snaps[ns].Cluster = w.nodes.facts, w.nodes.cluster
		}
		return snaps[ns]
	}
	all := assess(l, at)
	now := time.Time{}
	for _, v := range w.views {
		now = v.Now()
	}
	if w.nodes.ask(ctx, l.nodes, l.cluster, now) {
		clear(snaps)
		all = assess(l, at)
	}
	clear(l.nodes)
	l.cluster = false
	for i := range all {
		all[i].Problems = group(all[i].Problems)
		for j := range all[i].Problems {
			w.quote(ctx, &all[i].Problems[j])
		}
	}
	return all
}

// pause waits for a change, at most until the next tick.
func (w *waits) pause(ctx context.Context, home *kube.View, tick <-chan time.Time) error {
	if err := kube.Sleep(ctx, notOftener); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-tick:
	case <-home.Changed():
	}
	return nil
}

// broken says that watches broke off and the API server does not answer either.
func (w *waits) broken(ctx context.Context) error {
	for _, v := range w.views {
		if v.Err() == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, lookEvery)
		_, err := w.client.ServerTime(ctx)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

// quoted is what a container wrote last, and when it was asked for.
type quoted struct {
	line string
	at   time.Time
}

// quote adds to a problem what its container wrote last. What runs writes on; what
// has ended is asked again only when it said nothing.
func (w *waits) quote(ctx context.Context, p *problem) {
	if p.log == nil {
		return
	}
	q, known := w.logs[*p.log]
	if !known || (q.line == "" || p.Reason == kube.HookWaits) && time.Since(q.at) >= logEvery {
		ctx, cancel := context.WithTimeout(ctx, logTime)
		line, err := w.client.LastWords(ctx, p.log.namespace, p.log.pod, p.log.container)
		cancel()
		if err == nil && line != "" {
			q.line = line
		}
		q.at = time.Now()
		w.logs[*p.log] = q
	}
	if q.line != "" {
		p.Message += "; its log: " + q.line
	}
}

const (
	logTime  = 3 * time.Second // for reading a log: its node may be dead
	logEvery = 5 * time.Second
)
