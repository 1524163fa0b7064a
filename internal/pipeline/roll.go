package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gauntlet/internal/gate"
	"gauntlet/internal/hub"
)

// roll is who must sign off before the tier after one that asks for sign-offs.
func (w *Workspace) roll(ctx context.Context, s *sight, states map[string]gate.HubState) gate.Roll {
	for _, t := range s.policy.Tiers {
		if t.Signoff == nil {
			continue
		}
		if t.Signoff.Of == "people" {
			return gate.Roll{} // the policy itself names them
		}
		return w.activeUsers(ctx, s.policy.Tiers[len(s.policy.Tiers)-1].Name, t.Signoff.Active, states)
	}
	return gate.Roll{}
}

// activeUsers are who used a hub of the tier lately. Any hub that cannot be asked
// makes the roll unknown, for a user left out would be a sign-off skipped.
func (w *Workspace) activeUsers(ctx context.Context, tier string, active time.Duration, states map[string]gate.HubState) gate.Roll {
	defer w.waiting("hubs", "", fmt.Sprintf("asking the hubs of tier %s who used them", tier))()
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	users := map[string]bool{}
	for _, name := range w.hubNames(tier) {
		if st := states[name]; st.Problem == "" && st.Revision == 0 {
			continue // nothing installed there, so nobody has used it
		}
		h := w.Platform.Hubs[name]
		c, err := w.clients.get(h.Cluster)
		if err != nil {
			return gate.Roll{Problem: err.Error()}
		}
		token, err := hub.Token(ctx, c, h.Namespace, h.APITokenFrom)
		if err != nil {
			return gate.Roll{Problem: fmt.Sprintf("users of hub %s: %v", name, err)}
		}
		list, err := hub.New(h.URL, token).ActiveUsers(ctx, w.opts.Now().Add(-active))
		if err != nil {
			return gate.Roll{Problem: fmt.Sprintf("users of hub %s: %v", name, err)}
		}
		for _, u := range list {
			users[u] = true
		}
	}
	if len(users) == 0 {
		return gate.Roll{Problem: fmt.Sprintf("nobody has used a hub of tier %s in the last %s: for a platform without users yet, a policy with signoff.of: people names who signs", tier, active)}
	}
	return gate.Roll{Users: slices.Sorted(maps.Keys(users))}
}
