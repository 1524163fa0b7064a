package gather

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/plan"
	"gauntlet/internal/preflight"
	"gauntlet/internal/preflight/registry"
)

// images asks the registries for the images of the release, with the credentials
// that its pods will have.
func (g *gathering) images(ctx context.Context) {
	type group struct {
		question registry.Question
		secrets  []string
		users    []string
	}
	var order []string
	groups := map[string]*group{}
	k := &keyring{g: g, accounts: map[string][]string{}}
	refs := preflight.References(g.f)
	k.read(ctx, refs)
	for _, r := range refs {
		secrets := k.of(r)
		id := r.Image + "\n" + strings.Join(secrets, "\n")
		at, ok := groups[id]
		if !ok {
			at = &group{question: registry.Question{Image: r.Image}, secrets: secrets}
			groups[id] = at
			order = append(order, id)
		}
		at.question.Config = at.question.Config || r.Config
		if !slices.Contains(at.users, r.User) {
			at.users = append(at.users, r.User)
		}
	}
	var all []registry.Question
	for _, id := range order {
		at := groups[id]
		for _, s := range at.secrets {
			at.question.Credentials = append(at.question.Credentials, k.secrets[s]...)
		}
		all = append(all, at.question)
	}
	var asker registry.Asker
	g.f.Images = asker.Ask(ctx, all)
	for i, id := range order {
		g.f.Images[i].Users = groups[id].users
	}
	g.f.Missing = slices.Sorted(maps.Keys(k.missing))
}

// A keyring is the pull secrets of a release's pods: those that the release brings,
// else those that are in the namespace.
type keyring struct {
	g        *gathering
	accounts map[string][]string // service account to its pull secrets
	secrets  map[string][]registry.Credential
	missing  map[string]bool // named by the release, and without credentials
}

// of are the pull secrets of the pods that pull an image.
func (k *keyring) of(r preflight.Reference) []string {
	out := slices.Concat(r.Secrets, k.accounts[account(r)])
	slices.Sort(out)
	return slices.Compact(out)
}

func account(r preflight.Reference) string {
	if r.Account == "" {
		return "default"
	}
	return r.Account
}

// read reads every service account and pull secret that the references name.
func (k *keyring) read(ctx context.Context, refs []preflight.Reference) {
	c, ns := k.g.t.Request.Client, k.g.t.Request.Namespace
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, err := c.CoreV1().ServiceAccounts(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		k.g.missed("the pull secrets of service accounts", err)
	} else {
		for _, a := range list.Items {
			for _, s := range a.ImagePullSecrets {
				k.accounts[a.Name] = append(k.accounts[a.Name], s.Name)
			}
		}
	}
	brought := k.brought()
	want := map[string]bool{} // and whether the release itself names it
	for _, r := range refs {
		for _, s := range k.accounts[account(r)] {
			want[s] = false
		}
	}
	for _, r := range refs {
		for _, s := range r.Secrets {
			want[s] = true
		}
	}
	k.secrets, k.missing = map[string][]registry.Credential{}, map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, named := range want {
		wg.Go(func() {
			data := brought[name]
			if data == nil {
				s, err := c.CoreV1().Secrets(ns).Get(ctx, name, metav1.GetOptions{})
				if err != nil && !apierrors.IsNotFound(err) {
					k.g.missed("pull secret "+name, err)
					return
				}
				data = s.Data
			}
			creds, err := registry.ParseSecret(data)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				k.secrets[name] = creds
			} else if named {
				k.missing[name] = true
			}
		})
	}
	wg.Wait()
}

// brought are the Secrets that the release brings itself, as zero-to-jupyterhub does
// with its pull secret in a hook; its service accounts join those of the namespace.
func (k *keyring) brought() map[string]map[string][]byte {
	out := map[string]map[string][]byte{}
	for _, o := range preflight.Brought(k.g.f) {
		switch kind, name := str(o, "kind"), str(o, "metadata", "name"); kind {
		case "Secret":
			out[name] = dataOf(o)
		case "ServiceAccount":
			list, ok := o["imagePullSecrets"].([]any)
			if !ok {
				continue
			}
			k.accounts[name] = nil
			for _, s := range list {
				m, _ := s.(map[string]any)
				k.accounts[name] = append(k.accounts[name], str(m, "name"))
			}
		}
	}
	return out
}

// dataOf is the data of a Secret that the release brings.
func dataOf(o plan.Object) map[string][]byte {
	out := map[string][]byte{}
	m, _ := o["data"].(map[string]any)
	for k, v := range m {
		s, _ := v.(string)
		if b, err := base64.StdEncoding.DecodeString(s); err == nil {
			out[k] = b
		}
	}
	m, _ = o["stringData"].(map[string]any) // of a hook, which no API server has seen
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = []byte(s)
		}
	}
	return out
}

func str(o map[string]any, path ...string) string {
	for _, k := range path[:len(path)-1] {
		o, _ = o[k].(map[string]any)
	}
	s, _ := o[path[len(path)-1]].(string)
	return s
}
