package prepull

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

// A Request says what to bring where.
type Request struct {
	Client      *kube.Client
	Namespace   string // of the hub, whose pull secrets count; it must exist
	Pools       []Pool
	PullSecrets []string // Secrets of the namespace that the nodes pull with
	// Brought gives, by name, the pull secrets that the release itself makes: what they
	// will hold counts. It may be nil, and is called only when something is pulled.
	Brought      func(context.Context) (map[string]corev1.Secret, error)
	StartTimeout time.Duration // that a server of the hub may take to start; 0: not known
	Timeout      time.Duration // default 30 minutes
	// Observe is told how far a pool is when that has changed, and every ten seconds.
	// It may be nil; it is called from one goroutine at a time.
	Observe func(pool, line string)
}

// DefaultTimeout is how long images are waited for.
const DefaultTimeout = 30 * time.Minute

// tellEvery is how often a wait is told of when nothing changes.
const tellEvery = 10 * time.Second

// leasesEvery is how often the nodes' signs of life are read while some are waited for.
const leasesEvery = 5 * time.Second

// A Session is one pre-pull.
type Session struct {
	r     Request
	run   *kube.Run
	board *board
	nodes *source
	left  bool // other runs have left something, or are at work

	once  sync.Once
	pools []chan struct{} // closed when the pool's report is final
	ended chan struct{}   // closed when nothing is watched any more
	stop  context.CancelFunc

	mu    sync.Mutex
	final []Report
	err   error // why the session ended before its pools
}

// Look sees which nodes the pools have and what is on them. It makes nothing: six
// requests, whatever the number of nodes, and one more for every 500.
func Look(ctx context.Context, r Request) (*Session, error) {
	if r.Timeout <= 0 {
		r.Timeout = DefaultTimeout
	}
	s := &Session{r: r, run: kube.NewRun(r.Client, r.Namespace), board: newBoard(r.Pools), ended: make(chan struct{})}
	for range r.Pools {
		s.pools = append(s.pools, make(chan struct{}))
	}
	if r.Client.Config != nil {
		server, err := r.Client.ServerTime(ctx)
		if err != nil {
			return nil, err
		}
		s.board.skew = time.Until(server)
	}
	s.readLeases(ctx)
	s.nodes = s.nodeSource()
	if err := s.nodes.read(ctx); err != nil {
		return nil, fmt.Errorf("list the nodes of cluster %s: %w", r.Client.Context, err)
	}
	s.board.begun = true
	var err error
	if s.left, err = s.lookForOthers(ctx); err != nil {
		return nil, err
	}
	s.final = s.board.reports(time.Now())
	return s, nil
}

// Ready says whether nothing has to be pulled.
func (s *Session) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.final {
		if !r.Met {
			return false
		}
	}
	return true
}

// Reports are how far the pools are; final when the suite has run.
func (s *Session) Reports() []Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Report{}, s.final...)
}

// Sizes asks for the compressed sizes of the images, unless nothing is pulled: all at
// the same time, and no longer than a few seconds. One that cannot be told stays
// unknown.
func (s *Session) Sizes(ctx context.Context, size func(ctx context.Context, ref string) (int64, error)) {
	ctx, cancel := context.WithTimeout(ctx, sizesTime)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	known := map[string]int64{}
	for i, r := range s.Reports() {
		if r.Met && r.Want > 0 {
			continue
		}
		for _, image := range s.r.Pools[i].Images {
			wg.Go(func() {
				if n, err := size(ctx, image.Ref); err == nil {
					mu.Lock()
					known[image.Ref] = n
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	s.board.change(func() {
		for i, p := range s.board.pools {
			for j := range p.Images { // shared with the request's pools
				p.Images[j].Size = known[p.Images[j].Ref]
				p.containers[j].image = p.Images[j]
			}
			s.final[i].Bytes = p.size()
		}
	})
}

// sizesTime bounds how long a registry is asked for sizes.
const sizesTime = 5 * time.Second

func (s *Session) nodeSource() *source {
	all, wanted := s.r.Client.CoreV1().Nodes(), s.board.wanted()
	return &source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return all.List(ctx, o) },
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return all.Watch(ctx, o)
		},
		saw: func(o runtime.Object) {
			if n, ok := o.(*corev1.Node); ok {
				n = lean(n, wanted)
				s.board.change(func() { s.board.sawNode(n, time.Now()) })
			}
		},
		lost: func(name string) { s.board.change(func() { s.board.lostNode(name, time.Now()) }) },
		listed: func(names map[string]bool) {
			s.board.change(func() {
				for name := range s.board.nodes {
					if !names[name] {
						s.board.lostNode(name, time.Now())
					}
				}
			})
		},
	}
}

func (s *Session) podSource() *source {
	pods, mine := s.r.Client.CoreV1().Pods(s.r.Namespace), kube.RunLabel+"="+s.run.ID
	return &source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = mine
			return pods.List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = mine
			return pods.Watch(ctx, o)
		},
		saw: func(o runtime.Object) {
			if p, ok := o.(*corev1.Pod); ok {
				s.board.change(func() { s.board.sawPod(p, time.Now()) })
			}
		},
	}
}

func (s *Session) eventSource() *source {
	events := s.r.Client.CoreV1().Events(s.r.Namespace)
	return &source{
		fresh: true,
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return events.List(ctx, o) },
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return events.Watch(ctx, o)
		},
		saw: func(o runtime.Object) {
			if e, ok := o.(*corev1.Event); ok {
				s.board.change(func() { s.board.sawEvent(e, time.Now()) })
			}
		},
	}
}

// readLeases reads the nodes' signs of life. Who may not read them, or cannot now,
// does without: then the control plane's word on a node counts alone.
func (s *Session) readLeases(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leasesEvery)
	defer cancel()
	// Version 0: out of the API server's memory.
	list, err := s.r.Client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err == nil {
		s.board.change(func() { s.board.sawLeases(list.Items, time.Now()) })
	}
}

// begin makes what pulls, and watches it until ctx ends.
func (s *Session) begin(ctx context.Context) error {
	if err := s.run.Begin(ctx); err != nil {
		return err
	}
	kill.At("prepull:begun")
	pods, events := s.podSource(), s.eventSource()
	for what, src := range map[string]*source{"pods": pods, "events": events} {
		if err := src.read(ctx); err != nil {
			return fmt.Errorf("list the %s of namespace %s: %w", what, s.r.Namespace, err)
		}
	}
	secrets, err := s.pullSecrets(ctx)
	if err != nil {
		return err
	}
	kill.At("prepull:secrets")
	for i, p := range s.board.pools {
		if s.final[i].Met || s.final[i].Cause != "" {
			continue
		}
		name := fmt.Sprintf("gauntlet-prepull-%s-%d", s.run.ID, i)
		s.board.change(func() { p.set = name })
		set := p.daemonSet(s.r.Namespace, s.run.Labels(), secrets)
		if _, err := s.r.Client.AppsV1().DaemonSets(s.r.Namespace).Create(ctx, set, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("make DaemonSet %s/%s, which pulls the images of pool %s: %w", s.r.Namespace, name, p.Name, err)
		}
		kill.At("prepull:created")
	}
	for _, src := range []*source{s.nodes, pods, events} {
		go src.follow(ctx)
	}
	return nil
}

// pull runs until every pool is decided or ctx ends.
func (s *Session) pull(ctx context.Context) {
	defer close(s.ended)
	ctx, cancel := context.WithTimeoutCause(ctx, s.r.Timeout, fmt.Errorf("the images are not there after %s (prePull.timeout)", s.r.Timeout))
	defer cancel()
	err := s.settle(nil)
	if err == nil {
		if err = s.begin(ctx); err == nil {
			err = s.watch(ctx)
		}
	}
	if err != nil && !errors.Is(err, errStopped) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	for i := range s.pools {
		s.close(i)
	}
}

var errStopped = errors.New("stopped")

// watch looks at the board whenever it has changed, until every pool is decided.
func (s *Session) watch(ctx context.Context) error {
	tick, leases := time.NewTicker(time.Second), time.NewTicker(leasesEvery)
	defer tick.Stop()
	defer leases.Stop()
	told, toldAt := make([]string, len(s.pools)), make([]time.Time, len(s.pools))
	for {
		now := time.Now()
		reports := s.board.reports(now)
		if err := s.settle(reports); err != nil {
			return err
		}
		for i, r := range reports {
			if line := r.key(); !s.decided(i) && s.r.Observe != nil && (line != told[i] || now.Sub(toldAt[i]) >= tellEvery) {
				s.r.Observe(r.Pool, r.Line())
				told[i], toldAt[i] = line, now
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.board.changed:
			// What comes together is looked at together: a thousand nodes speak at once.
			_ = kube.Sleep(ctx, 50*time.Millisecond)
		case <-leases.C:
			s.readLeases(ctx)
		case <-tick.C:
		}
	}
}

// settle keeps the reports (nil: those of the first look) and closes the pools that
// are decided. It gives errStopped when there is nothing more to wait for: all are
// decided, or one will never have its images.
func (s *Session) settle(reports []Report) error {
	s.mu.Lock()
	for i := range reports {
		if !isClosed(s.pools[i]) {
			s.final[i] = reports[i]
		}
	}
	reports = s.final
	s.mu.Unlock()
	open, failed := 0, false
	for i, r := range reports {
		if r.Met || r.Cause != "" {
			s.close(i)
		} else {
			open++
		}
		failed = failed || r.Cause != ""
	}
	if open == 0 || failed {
		return errStopped
	}
	return nil
}

func (s *Session) close(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isClosed(s.pools[i]) {
		close(s.pools[i])
	}
}

func (s *Session) decided(i int) bool { return isClosed(s.pools[i]) }

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
