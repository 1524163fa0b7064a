package pipeline

import (
	"sync"

	"gauntlet/internal/kube"
)

// clients are the clusters' clients, one per kubeconfig context.
type clients struct {
	mu sync.Mutex
	of map[string]*kube.Client
}

func (c *clients) get(context string) (*kube.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.of[context]; ok {
		return k, nil
	}
	k, err := kube.Connect(context)
	if err != nil {
		return nil, &InputError{err}
	}
	if c.of == nil {
		c.of = map[string]*kube.Client{}
	}
	c.of[context] = k
	return k, nil
}
