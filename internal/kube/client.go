// Package kube speaks to Kubernetes: clients per kubeconfig context, pods that are
// run, watched, executed in and removed, the lock of a namespace, and what a
// deployer remembers in a cluster.
package kube

import (
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// A Client speaks to the cluster of one kubeconfig context.
type Client struct {
	kubernetes.Interface
	Context string // name in the kubeconfig
	Config  *rest.Config
}

// quiet keeps client-go from writing to standard error on its own account: what
// matters comes back as an error and is told once, by whoever asked.
var quiet = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })

// Connect makes a client for a context of the user's kubeconfig (KUBECONFIG, or
// ~/.kube/config). It reads files only; the first call to the cluster finds out
// whether it answers.
func Connect(context string) (*Client, error) {
	quiet()
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	over := &clientcmd.ConfigOverrides{CurrentContext: context}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, over).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find kubeconfig context %q: %w", context, err)
	}
	// client-go's defaults (5 requests a second) are the first limit that work on
	// several hubs meets.
	cfg.QPS, cfg.Burst = 50, 100
	cs, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for context %q: %w", context, err)
	}
	return &Client{Interface: cs, Context: context, Config: cfg}, nil
}
