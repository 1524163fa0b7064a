package helm

import (
	"fmt"
	"slices"
	"time"

	helmkube "helm.sh/helm/v4/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"gauntlet/internal/kill"
)

// waiting is Helm's Kubernetes client with our waits in it.
type waiting struct {
	*helmkube.Client
	waits Waiter
	verb  string // as in drilled
	get   *getter
}

func (w waiting) GetWaiter(s helmkube.WaitStrategy) (helmkube.Waiter, error) {
	return w.GetWaiterWithOptions(s)
}

// GetWaiterWithOptions gives our waits where Helm asks for hookOnly, which is the
// strategy of every action here. Helm asks for another one by itself: for CRDs of a
// chart, which must be known to the API server before anything of their kind.
func (w waiting) GetWaiterWithOptions(s helmkube.WaitStrategy, opts ...helmkube.WaitOption) (helmkube.Waiter, error) {
	own, err := w.Client.GetWaiterWithOptions(s, opts...)
	switch {
	case err != nil || w.waits == nil:
		return own, err
	case s != helmkube.HookOnlyStrategy:
		return served{Waiter: own, get: w.get}, nil
	}
	return bridge{Waiter: own, waits: w.waits, verb: w.verb}, nil
}

// served is a waiter for CRDs. Helm waits until they are established, which is a moment
// before the API server tells of their kinds: what is built in between fails.
type served struct {
	helmkube.Waiter
	get *getter
}

func (w served) Wait(list helmkube.ResourceList, timeout time.Duration) error {
	end := time.Now().Add(timeout)
	if err := w.Waiter.Wait(list, timeout); err != nil {
		return err
	}
	known, err := w.get.ToDiscoveryClient()
	if err != nil {
		return err
	}
	for _, info := range list {
		o, err := content(info.Object)
		if err != nil {
			return err
		}
		kind, versions := defines(o)
		for _, v := range versions {
			for !serves(known, kind.WithVersion(v)) {
				if time.Now().After(end) {
					return fmt.Errorf("the API server does not tell of %s, version %s, which %s defines, after %s", kind, v, info.Name, timeout)
				}
				time.Sleep(servedEvery) // Helm's waits bear no context
			}
		}
	}
	return nil
}

// servedEvery is how often the API server is asked for the kinds of CRDs.
const servedEvery = 100 * time.Millisecond

// serves asks the API server whether it tells of a kind.
func serves(d discovery.CachedDiscoveryInterface, k schema.GroupVersionKind) bool {
	d.Invalidate()
	list, err := d.ServerResourcesForGroupVersion(k.GroupVersion().String())
	return err == nil && slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == k.Kind })
}

// bridge is a waiter of Helm that asks ours; deletions are left to Helm.
type bridge struct {
	helmkube.Waiter
	waits Waiter
	verb  string
}

func (b bridge) Wait(list helmkube.ResourceList, timeout time.Duration) error {
	kill.At(b.verb + ":applied")
	return b.waits.Rollout(objects(list), timeout)
}

func (b bridge) WaitWithJobs(list helmkube.ResourceList, timeout time.Duration) error {
	return b.Wait(list, timeout)
}

func (b bridge) WatchUntilReady(list helmkube.ResourceList, timeout time.Duration) error {
	kill.At(b.verb + ":hook")
	return b.waits.Hook(objects(list), timeout)
}
