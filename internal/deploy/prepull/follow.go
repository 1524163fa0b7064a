package prepull

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"gauntlet/internal/kube"
)

// pageSize bounds how many objects are read at a time.
const pageSize = 500

// A source is one kind of object, listed once and watched from then on: one request
// for as long as the watch lasts, however many objects there are.
type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// saw is told of every object, listed or changed; lost of the names of those that
	// are deleted; listed, after a list, of the names of all. The latter two may be nil.
	saw    func(runtime.Object)
	lost   func(name string)
	listed func(names map[string]bool)
	// fresh leaves out what is there already: only changes are told.
	fresh bool

	version string // where the watch goes on
}

// read lists all objects.
func (s *source) read(ctx context.Context) error {
	o := metav1.ListOptions{Limit: pageSize}
	if s.fresh {
		o.Limit = 1
	}
	names := map[string]bool{}
	for {
		list, err := s.list(ctx, o)
		if err != nil {
			return err
		}
		m, err := meta.ListAccessor(list)
		if err != nil {
			return err
		}
		s.version = m.GetResourceVersion()
		if s.fresh {
			return nil
		}
		each := func(o runtime.Object) error {
			names[nameOf(o)] = true
			s.saw(o)
			return nil
		}
		if err := meta.EachListItem(list, each); err != nil {
			return err
		}
		if o.Continue = m.GetContinue(); o.Continue == "" {
			if s.listed != nil {
				s.listed(names)
			}
			return nil
		}
	}
}

// follow tells of changes until ctx ends. It begins where read has ended, and reads
// anew what it has missed when an API server was away for too long.
func (s *source) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if s.version == "" {
			if err := s.read(ctx); err != nil {
				_ = kube.Sleep(ctx, time.Second)
				continue
			}
		}
		began := time.Now()
		w, err := s.watch(ctx, metav1.ListOptions{ResourceVersion: s.version, AllowWatchBookmarks: true})
		if err != nil {
			if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
				s.version = ""
			}
			_ = kube.Sleep(ctx, time.Second)
			continue
		}
		s.drain(ctx, w)
		w.Stop()
		if time.Since(began) < time.Second {
			_ = kube.Sleep(ctx, time.Second)
		}
	}
}

func (s *source) drain(ctx context.Context, w watch.Interface) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.ResultChan():
			if !ok {
				return
			}
			if e.Type == watch.Error {
				s.version = "" // too old, or whatever it is: a list puts it right
				return
			}
			if m, err := meta.Accessor(e.Object); err == nil && m.GetResourceVersion() != "" {
				s.version = m.GetResourceVersion()
			}
			switch e.Type {
			case watch.Added, watch.Modified:
				s.saw(e.Object)
			case watch.Deleted:
				if s.lost != nil {
					s.lost(nameOf(e.Object))
				}
			}
		}
	}
}

func nameOf(o runtime.Object) string {
	m, err := meta.Accessor(o)
	if err != nil {
		return ""
	}
	return m.GetName()
}
