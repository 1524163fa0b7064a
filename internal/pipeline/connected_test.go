package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"gauntlet/internal/hub"
)

func TestKernelsAreCountedOrWhyNot(t *testing.T) {
	servers := func(n int) []hub.Server {
		list := make([]hub.Server, n)
		for i := range list {
			list[i].URL = fmt.Sprint(i)
		}
		return list
	}
	for name, tt := range map[string]struct {
		servers []hub.Server
		ask     func(string) (int, error)
		want    int
		problem string
		asked   int32
	}{
		"no server":  {nil, nil, 0, "", 0},
		"all answer": {servers(3), func(string) (int, error) { return 2, nil }, 6, "", 3},
		"one does not answer": {servers(3), func(s string) (int, error) {
			if s == "1" {
				return 0, errors.New("timeout")
			}
			return 1, nil
		}, 2, "1 of 3 servers could not be asked", 3},
		"no right to ask": {servers(40), func(string) (int, error) { return 0, fmt.Errorf("%w (403)", hub.ErrNoAccess) }, 0, hub.ErrNoAccess.Error() + " (scope access:servers)", 1},
		"very many":       {servers(maxServers + 5), func(string) (int, error) { return 1, nil }, maxServers, "5 servers were not asked", maxServers},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			n, problem := kernelsOf(t.Context(), tt.servers, func(_ context.Context, s hub.Server) (int, error) {
				asked.Add(1)
				return tt.ask(s.URL)
			})
			if n != tt.want || problem != tt.problem || asked.Load() != tt.asked {
				t.Errorf("%d, %q, asked %d", n, problem, asked.Load())
			}
		})
	}
}
