package plan

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/release"
)

// SavedFormat is what a saved plan names as its format.
const SavedFormat = "gauntlet/plan/v1"

// A Saved is a plan that is kept, so that exactly what it showed is deployed or nothing:
// where the hub is, what it was and what it would become. Of objects it holds hashes.
type Saved struct {
	Format string    `json:"format"`
	Made   time.Time `json:"made"` // by whoever made it; for people

	Place
	Revision int `json:"revision"` // that the hub was at; 0: nothing was installed

	Release    release.Digest `json:"release"`
	Deployable release.Digest `json:"deployable"`
	Access     release.Digest `json:"access"`
	Policy     release.Digest `json:"policy"` // that was in force

	Salt    string        `json:"salt"`    // hexadecimal; goes into every hash
	Objects []SavedObject `json:"objects"` // sorted
	Hooks   []SavedHook   `json:"hooks"`   // in the order they run
}

// A Place is where a hub is. The two UIDs tell a cluster or namespace that was made anew.
type Place struct {
	Hub          string `json:"hub"`
	Cluster      string `json:"cluster"`    // kubeconfig context
	ClusterUID   string `json:"clusterUID"` // of namespace kube-system
	Namespace    string `json:"namespace"`
	NamespaceUID string `json:"namespaceUID"`
	HelmRelease  string `json:"helmRelease"`
}

// A SavedObject is one object as it was live and as it is rendered; "" where there is
// none.
type SavedObject struct {
	Object string `json:"object"` // "apps/v1 Deployment proxy"
	Live   string `json:"live,omitempty"`
	Next   string `json:"next,omitempty"`
}

// A SavedHook is an object that Helm makes for a while.
type SavedHook struct {
	Object string   `json:"object"`
	On     []string `json:"on"`
	Next   string   `json:"next"`
}

// saltBytes is how long a salt is.
const saltBytes = 16

// Save puts the hashes of what is compared into a plan; the caller gives all else, the
// salt too: random bytes, at least 16.
func Save(s Saved, salt []byte, in Input) (Saved, error) {
	if len(salt) < saltBytes {
		return Saved{}, fmt.Errorf("a salt of %d bytes is too short", len(salt))
	}
	s.Format, s.Salt = SavedFormat, hex.EncodeToString(salt)
	s.Objects, s.Hooks = []SavedObject{}, []SavedHook{}
	for _, p := range in.Pairs {
		if p.Live == nil && p.New == nil {
			continue
		}
		o := SavedObject{Object: fullName(p.Live)}
		if p.New != nil {
			o.Object = fullName(p.New)
		}
		var err error
		if o.Live, err = hash(salt, settled(p.Live)); err != nil {
			return Saved{}, err
		}
		if p.New != nil {
			if o.Next, err = hash(salt, stable(p.Once, p.Again)); err != nil {
				return Saved{}, err
			}
		}
		s.Objects = append(s.Objects, o)
	}
	slices.SortFunc(s.Objects, func(a, b SavedObject) int { return cmp.Compare(a.Object, b.Object) })
	for _, h := range in.Hooks {
		next, err := hash(salt, h.Manifest)
		if err != nil {
			return Saved{}, err
		}
		s.Hooks = append(s.Hooks, SavedHook{Object: h.Object, On: h.On, Next: next})
	}
	return s, nil
}

// fullName tells an object from all others of the release.
func fullName(o Object) string {
	ns := text(o, "metadata", "namespace")
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", text(o, "apiVersion"), text(o, "kind"), strings.TrimPrefix(ns+"/"+text(o, "metadata", "name"), "/")))
}

// rounds of PBKDF2 make guessing a weak secret from its hash slow.
const rounds = 200_000

// hash is a hash of an object with a salt, "" of none. A Secret's is slow to make.
func hash(salt []byte, o Object) (string, error) {
	if o == nil {
		return "", nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", name(o), err)
	}
	mac := hmac.New(sha256.New, salt)
	if text(o, "kind") == "Secret" {
		if b, err = pbkdf2.Key(sha256.New, string(b), salt, rounds, sha256.Size); err != nil {
			return "", fmt.Errorf("hash %s: %w", name(o), err)
		}
	}
	_, _ = mac.Write(b)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// fresh stands where two renderings differ.
const fresh = "(new at every deploy)"

// stable is a rendering without what is new each time.
func stable(once, again Object) Object {
	if once == nil || again == nil {
		return once
	}
	out, _ := common(once, again).(Object)
	return out
}

func common(a, b any) any {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return fresh
		}
		out := map[string]any{}
		for k, v := range x {
			out[k] = fresh
			if w, ok := y[k]; ok {
				out[k] = common(v, w)
			}
		}
		for k := range y {
			if _, ok := x[k]; !ok {
				out[k] = fresh
			}
		}
		return out
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return fresh
		}
		out := make([]any, len(x))
		for i := range x {
			out[i] = common(x[i], y[i])
		}
		return out
	}
	if a != b {
		return fresh
	}
	return a
}

// Moved says what is no longer as a plan found it, compared with one that was made now
// with the same salt; nil when a deploy does exactly what was shown.
func (s Saved) Moved(now Saved) []string {
	var out []string
	tell := func(differs bool, format string, args ...any) {
		if differs {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	tell(s.Hub != now.Hub || s.HelmRelease != now.HelmRelease || s.Namespace != now.Namespace, "the plan is of hub %q, Helm release %s/%s", s.Hub, s.Namespace, s.HelmRelease)
	tell(s.Cluster != now.Cluster, "the hub was in cluster %q", s.Cluster)
	tell(s.ClusterUID != now.ClusterUID, "the cluster is another one")
	tell(s.ClusterUID == now.ClusterUID && s.NamespaceUID != now.NamespaceUID, "the namespace was made anew")
	tell(s.Revision != now.Revision, "the hub is at revision %d, and was at %d", now.Revision, s.Revision)
	tell(s.Release != now.Release || s.Deployable != now.Deployable || s.Access != now.Access, "the plan is of release %s", s.Release.Short())
	tell(s.Policy != now.Policy, "policy %s was in force, and %s is now", s.Policy.Short(), now.Policy.Short())
	tell(s.Salt != now.Salt, "the hashes are of another salt")
	was, is := byName(s.Objects), byName(now.Objects)
	names := slices.Sorted(slices.Values(append(keys(was), keys(is)...)))
	for _, n := range slices.Compact(names) {
		a, b := was[n], is[n]
		switch {
		case a.Live == b.Live:
		case b.Live == "":
			out = append(out, n+" was there and is gone")
		case a.Live == "":
			out = append(out, n+" was not there")
		default:
			out = append(out, n+" was changed")
		}
		if a.Next != b.Next {
			out = append(out, n+" is rendered otherwise")
		}
	}
	if !slices.EqualFunc(s.Hooks, now.Hooks, func(a, b SavedHook) bool {
		return a.Object == b.Object && a.Next == b.Next && slices.Equal(a.On, b.On)
	}) {
		out = append(out, "the hooks are others")
	}
	return out
}

func byName(list []SavedObject) map[string]SavedObject {
	out := map[string]SavedObject{}
	for _, o := range list {
		out[o.Object] = o
	}
	return out
}

func keys(m map[string]SavedObject) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// Encode is a saved plan as a file.
func (s Saved) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	return append(b, '\n'), nil
}

// maxSaved bounds a file of a plan: a hub has some hundred objects.
const maxSaved = 8 << 20

// ParseSaved reads a saved plan.
func ParseSaved(data []byte) (Saved, error) {
	if len(data) > maxSaved {
		return Saved{}, fmt.Errorf("it is larger than %d MiB, so no plan", maxSaved>>20)
	}
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Saved{}, errors.New("it is no plan: `gauntlet plan RELEASE HUB --save FILE` makes one")
	}
	if head.Format != SavedFormat {
		return Saved{}, fmt.Errorf("its format is %q, and this program reads %s: make the plan again", head.Format, SavedFormat)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var s Saved
	if err := dec.Decode(&s); err != nil {
		return Saved{}, fmt.Errorf("it is no plan of format %s: %w", SavedFormat, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Saved{}, errors.New("something follows the plan")
	}
	if salt, err := hex.DecodeString(s.Salt); err != nil || len(salt) < saltBytes {
		return Saved{}, errors.New("its salt is no hexadecimal text of 16 bytes")
	}
	for _, d := range []release.Digest{s.Release, s.Deployable, s.Access, s.Policy} {
		if _, err := release.ParseDigest(string(d)); err != nil {
			return Saved{}, fmt.Errorf("one of its digests is none: %w", err)
		}
	}
	for i, o := range s.Objects {
		if o.Object == "" || i > 0 && s.Objects[i-1].Object >= o.Object {
			return Saved{}, errors.New("its objects are not in order, each once")
		}
	}
	return s, nil
}

// SaltBytes are the bytes of the salt.
func (s Saved) SaltBytes() []byte {
	b, err := hex.DecodeString(s.Salt)
	if err != nil {
		return nil
	}
	return b
}
