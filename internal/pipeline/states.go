package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gauntlet/internal/deploy"
	"gauntlet/internal/gate"
)

// stateTimeout bounds how long one hub is asked for its state.
const stateTimeout = 15 * time.Second

// states asks all hubs at once what they run.
func (w *Workspace) states(ctx context.Context) map[string]gate.HubState {
	defer w.waiting("hubs", "", fmt.Sprintf("asking %d hubs what they run", len(w.Platform.Hubs)))()
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		out = map[string]gate.HubState{}
	)
	for name, h := range w.Platform.Hubs {
		wg.Go(func() {
			st := gate.HubState{}
			if c, err := w.clients.get(h.Cluster); err != nil {
				st.Problem = err.Error()
			} else {
				st = deploy.State(ctx, c, h.Namespace, h.Release)
			}
			mu.Lock()
			out[name] = st
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}
