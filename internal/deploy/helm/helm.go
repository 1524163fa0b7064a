// Package helm is gauntlet's only contact with Helm's SDK: thin verbs that render,
// apply, read, mark and remove Helm releases, so that the users' own helm program
// goes on working with what it made.
package helm

import (
	"fmt"
	"log/slog"
	"time"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"

	"gauntlet/internal/kube"
)

// maxHistory is how many revisions are kept: the helm program's own default.
const maxHistory = 10

// requestTime bounds each request of Helm.
const requestTime = 2 * time.Minute

func init() {
	// Server-side apply remembers who set a field. Under any other name than its
	// own, the users' helm would conflict with what gauntlet applied.
	helmkube.ManagedFieldsManager = "helm"
}

// A Helm works on the releases of one namespace.
type Helm struct {
	client    *kube.Client
	namespace string
	warn      func(string)
}

// New makes a Helm for a namespace. warn is told what the API server warns of
// (deprecated fields and versions); it may be nil.
func New(c *kube.Client, namespace string, warn func(string)) *Helm {
	return &Helm{client: c, namespace: namespace, warn: warn}
}

// session is what one action of Helm works with.
type session struct {
	*action.Configuration
	kube *helmkube.Client
	dry  forgiving // for renderings
}

// open makes a fresh session: actions change the configuration they are given.
// waits replaces Helm's waiting; nil keeps Helm's own.
func (h *Helm) open(waits Waiter) (session, error) { return h.openTo("deploy", waits, nil) }

// openTo is open for a verb, which begins the names of the drill points. Labels, when
// there are any, are those of the revision that will be made.
func (h *Helm) openTo(verb string, waits Waiter, labels map[string]string) (session, error) {
	cfg := rest.CopyConfig(h.client.Config)
	cfg.WarningHandler = warnings(h.warn)
	// Helm's calls bear no context: an API server that takes a request and never
	// answers would hold them for ever. Watches that this ends are begun anew.
	cfg.Timeout = requestTime
	get := newGetter(cfg, h.namespace)

	kc := helmkube.New(get)
	kc.Namespace = h.namespace
	kc.SetLogger(slog.DiscardHandler)

	cs, err := kc.Factory.KubernetesClientSet()
	if err != nil {
		return session{}, fmt.Errorf("make a client for context %q: %w", h.client.Context, err)
	}
	secrets := driver.NewSecrets(cs.CoreV1().Secrets(h.namespace))
	secrets.SetLogger(slog.DiscardHandler)

	ac := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	ac.RESTClientGetter = get
	ac.Releases = storage.Init(drilled{secrets, verb, labels})
	ac.Releases.MaxHistory = maxHistory
	ac.KubeClient = waiting{Client: kc, waits: waits, verb: verb, get: get}
	return session{Configuration: ac, kube: kc}, nil
}

// warnings hands the API server's warnings on instead of printing them.
type warnings func(string)

// HandleWarningHeader is client-go's rest.WarningHandler.
func (w warnings) HandleWarningHeader(code int, _ string, text string) {
	if w != nil && code == 299 && text != "" {
		w(kube.OneLine(text))
	}
}

// An Object names one Kubernetes object.
type Object struct {
	Kind, Namespace, Name string
}

func (o Object) String() string { return o.Kind + "/" + o.Name }

func objects(list helmkube.ResourceList) []Object {
	var out []Object
	for _, r := range list {
		out = append(out, object(r))
	}
	return out
}

func object(r *resource.Info) Object {
	return Object{Kind: r.Mapping.GroupVersionKind.Kind, Namespace: r.Namespace, Name: r.Name}
}

// A Waiter waits where Helm would, with better words. Its waits end with its own
// context.
type Waiter interface {
	// Hook waits until hook objects that Helm has just made have done their work.
	Hook(objects []Object, timeout time.Duration) error
	// Rollout waits until what Helm has just applied runs.
	Rollout(objects []Object, timeout time.Duration) error
}
