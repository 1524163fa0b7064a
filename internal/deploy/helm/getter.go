package helm

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// getter gives Helm our connection in place of one read from the kubeconfig, so
// that every request goes through our transport.
type getter struct {
	config    *rest.Config
	namespace string
	discovery *cached
}

type cached struct {
	discovery.CachedDiscoveryInterface
	err error
}

func newGetter(config *rest.Config, namespace string) *getter {
	c := &cached{}
	if d, err := discovery.NewDiscoveryClientForConfig(config); err != nil {
		c.err = err
	} else {
		c.CachedDiscoveryInterface = memory.NewMemCacheClient(d)
	}
	return &getter{config: config, namespace: namespace, discovery: c}
}

func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	if g.discovery.err != nil {
		return nil, g.discovery.err
	}
	return g.discovery.CachedDiscoveryInterface, nil
}

func (g *getter) ToRESTMapper() (meta.RESTMapper, error) {
	d, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	return restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(d), d, nil), nil
}

// ToRawKubeConfigLoader is asked for the namespace only.
func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	over := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}}
	return clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, over)
}
