package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// A View is what a namespace holds, kept up to date by watches: one list and one
// watch a kind, however long and often one looks. What one looks at is at most
// moments old; who has just changed something must compare generations.
type View struct {
	client    *Client
	namespace string
	changed   chan struct{}
	cancel    context.CancelFunc
	running   sync.WaitGroup
	skew      time.Duration // of the API server's clock over ours

	mu      sync.Mutex
	shelves map[string]*shelf // by kind
}

// kinds are what a View holds. Without the needed ones nothing can be waited for;
// without the others (a role that may not read events) causes are told later and
// less exactly.
var kinds = []struct {
	kind, resource string
	needed         bool
	client         func(*Client) rest.Interface
}{
	{"Pod", "pods", true, func(c *Client) rest.Interface { return c.CoreV1().RESTClient() }},
	{"Event", "events", false, func(c *Client) rest.Interface { return c.CoreV1().RESTClient() }},
	{"PersistentVolumeClaim", "persistentvolumeclaims", false, func(c *Client) rest.Interface { return c.CoreV1().RESTClient() }},
	{"Deployment", "deployments", true, func(c *Client) rest.Interface { return c.AppsV1().RESTClient() }},
	{"ReplicaSet", "replicasets", true, func(c *Client) rest.Interface { return c.AppsV1().RESTClient() }},
	{"StatefulSet", "statefulsets", true, func(c *Client) rest.Interface { return c.AppsV1().RESTClient() }},
	{"DaemonSet", "daemonsets", true, func(c *Client) rest.Interface { return c.AppsV1().RESTClient() }},
	{"Job", "jobs", true, func(c *Client) rest.Interface { return c.BatchV1().RESTClient() }},
}

// viewTime bounds the first look at a namespace.
const viewTime = 30 * time.Second

// View begins to watch a namespace and returns when everything in it has been seen
// once, after thirty seconds at most. It ends with ctx or Close. The error says what cannot be read.
func (c *Client) View(ctx context.Context, namespace string) (*View, error) {
	server, err := c.ServerTime(ctx)
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(ctx)
	v := &View{client: c, namespace: namespace, changed: make(chan struct{}, 1), cancel: cancel,
		skew: time.Until(server), shelves: map[string]*shelf{}}
	for _, k := range kinds {
		s := &shelf{view: v, kind: k.kind, first: make(chan struct{}), objects: map[string]object{}}
		v.shelves[k.kind] = s
		lw := cache.NewListWatchFromClient(k.client(c), k.resource, namespace, fields.Everything())
		told := &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (rt, error) {
				l, err := lw.ListWithContext(ctx, o)
				return l, s.told(err)
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				w, err := lw.WatchWithContext(ctx, o)
				return w, s.told(err)
			},
		}
		r := cache.NewReflectorWithOptions(told, nil, s, cache.ReflectorOptions{
			Name: "view", TypeDescription: k.kind,
			// An API server that restarts is back within seconds.
			Backoff: &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Steps: 6, Cap: 5 * time.Second, Jitter: 0.2},
		})
		v.running.Go(func() { r.RunWithContext(watching) })
	}
	soon, stop := context.WithTimeoutCause(ctx, viewTime, fmt.Errorf("namespace %s of cluster %s could not be listed in %s", namespace, c.Context, viewTime))
	defer stop()
	for _, k := range kinds {
		select {
		case <-v.shelves[k.kind].first:
		case <-soon.Done():
			v.Close()
			return nil, context.Cause(soon)
		}
	}
	for _, k := range kinds {
		if s := v.shelves[k.kind]; k.needed && s.refused() != nil {
			v.Close()
			return nil, fmt.Errorf("watch the %s of namespace %s in cluster %s: %w", k.resource, namespace, c.Context, s.refused())
		}
	}
	return v, nil
}

// Close ends the watches.
func (v *View) Close() {
	v.cancel()
	v.running.Wait()
}

// Changed gets a value whenever something has changed since the last one was taken.
func (v *View) Changed() <-chan struct{} { return v.changed }

// Now is the time by the API server.
func (v *View) Now() time.Time { return time.Now().Add(v.skew) }

// Unread names what this user may not read, "" when everything can be.
func (v *View) Unread() string {
	var names []string
	for _, k := range kinds {
		if s := v.shelves[k.kind]; s.refused() != nil {
			names = append(names, k.resource)
		}
	}
	return strings.Join(names, ", ")
}

// Err is why the watches broke off that are not yet taken up again; nil while all of
// them run.
func (v *View) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range kinds {
		s := v.shelves[k.kind]
		if s.err != nil && !apierrors.IsForbidden(s.err) && !apierrors.IsResourceExpired(s.err) && !apierrors.IsGone(s.err) {
			return s.err
		}
	}
	return nil
}

// all are the objects of a kind, sorted by name.
func all[T metav1.Object](v *View, kind string) []T {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []T
	for _, o := range v.shelves[kind].objects {
		if t, ok := o.(T); ok {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}

type object interface {
	metav1.Object
	runtime.Object
}

// shelf keeps the objects of one kind for its reflector.
type shelf struct {
	view  *View
	kind  string
	once  sync.Once
	first chan struct{} // closed when the first list, or the first refusal, has come

	// Guarded by the view's mutex.
	objects map[string]object
	err     error
}

func (s *shelf) put(o any) error {
	m, ok := o.(object)
	if !ok {
		return fmt.Errorf("an object of an unknown form (%T)", o)
	}
	m.SetManagedFields(nil) // most of an object's bytes, and never looked at
	s.objects[m.GetName()] = m
	return nil
}

func (s *shelf) change(do func() error) error {
	s.view.mu.Lock()
	err := do()
	s.view.mu.Unlock()
	select {
	case s.view.changed <- struct{}{}:
	default:
	}
	return err
}

// Add is part of cache.ReflectorStore.
func (s *shelf) Add(o any) error { return s.change(func() error { return s.put(o) }) }

// Update is part of cache.ReflectorStore.
func (s *shelf) Update(o any) error { return s.Add(o) }

// Delete is part of cache.ReflectorStore.
func (s *shelf) Delete(o any) error {
	m, err := meta.Accessor(o)
	if err != nil {
		return err
	}
	return s.change(func() error { delete(s.objects, m.GetName()); return nil })
}

// Replace is part of cache.ReflectorStore.
func (s *shelf) Replace(list []any, _ string) error {
	err := s.change(func() error {
		s.objects = map[string]object{}
		for _, o := range list {
			if err := s.put(o); err != nil {
				return err
			}
		}
		return nil
	})
	s.once.Do(func() { close(s.first) })
	return err
}

// Resync is part of cache.ReflectorStore.
func (s *shelf) Resync() error { return nil }

// told notes how the last request went, and hands its error on.
func (s *shelf) told(err error) error {
	s.view.mu.Lock()
	s.err = err
	s.view.mu.Unlock()
	if apierrors.IsForbidden(err) {
		s.once.Do(func() { close(s.first) })
	}
	return err
}

// refused is why this user may not read the kind; nil when they may.
func (s *shelf) refused() error {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	if apierrors.IsForbidden(s.err) {
		return s.err
	}
	return nil
}
