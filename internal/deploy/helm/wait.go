package helm

import (
	"time"

	helmkube "helm.sh/helm/v4/pkg/kube"

	"gauntlet/internal/kill"
)

// waiting is Helm's Kubernetes client with our waits in it.
type waiting struct {
	*helmkube.Client
	waits Waiter
	verb  string // as in drilled
}

func (w waiting) GetWaiter(s helmkube.WaitStrategy) (helmkube.Waiter, error) {
	return w.GetWaiterWithOptions(s)
}

// GetWaiterWithOptions gives our waits where Helm asks for hookOnly, which is the
// strategy of every action here. Helm asks for another one by itself: for CRDs of a
// chart, which must be known to the API server before anything of their kind.
func (w waiting) GetWaiterWithOptions(s helmkube.WaitStrategy, opts ...helmkube.WaitOption) (helmkube.Waiter, error) {
	own, err := w.Client.GetWaiterWithOptions(s, opts...)
	if err != nil || w.waits == nil || s != helmkube.HookOnlyStrategy {
		return own, err
	}
	return bridge{Waiter: own, waits: w.waits, verb: w.verb}, nil
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
