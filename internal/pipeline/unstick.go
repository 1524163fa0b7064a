package pipeline

import (
	"context"
	"fmt"

	"gauntlet/internal/deploy"
)

// A Sticking is what hangs on a hub, how to get out of it, and what Unstick did.
type Sticking struct {
	Hub   string          `json:"hub"`
	Hang  *deploy.Hang    `json:"hang"`            // null: nothing hangs
	Alive string          `json:"alive,omitempty"` // what speaks for and against a helm that is still at work
	Ways  []Way           `json:"ways"`
	Done  *deploy.Unstuck `json:"done,omitempty"` // set when Unstick did something
	Next  []string        `json:"next,omitempty"` // commands for afterwards
}

// A Way is one way out.
type Way struct {
	Command string `json:"command"`
	Does    string `json:"does"`
}

// Hanging says whether a Helm upgrade of the hub hangs, why, and the ways out. It asks
// the cluster alone and changes nothing.
func (w *Workspace) Hanging(ctx context.Context, hubName string) (*Sticking, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, err
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return nil, err
	}
	over := w.waiting("unstick", hubName, fmt.Sprintf("looking at Helm release %s/%s in cluster %s", h.Namespace, h.Release, h.Cluster))
	hang, err := deploy.Hanging(ctx, c, h.Namespace, h.Release)
	over()
	if err != nil {
		return nil, &StepError{Step: "unstick", Hub: hubName, Cause: err}
	}
	return sticking(hubName, hang), nil
}

// Unstick gets the hub out of a Helm upgrade that hangs, whoever started it: it ends it
// or, with goOn, lets it go on where it can. The ledger gets no record:
// no release came to the hub and none left it. What was done is said in Helm's history.
func (w *Workspace) Unstick(ctx context.Context, hubName string, goOn bool) (*Sticking, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, err
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return nil, err
	}
	if goOn {
		switch hang, err := deploy.Hanging(ctx, c, h.Namespace, h.Release); {
		case err != nil:
			return nil, &StepError{Step: "unstick", Hub: hubName, Cause: err}
		case hang == nil:
			return nil, inputf("nothing hangs on %s: there is nothing to go on with", hubName)
		default:
			if _, why := deploy.WayOn(hang); why != "" {
				return nil, inputf("%s: %s", hubName, why)
			}
		}
	}
	w.tell("unstick", hubName, Started, "", "")
	done, err := deploy.Unstick(ctx, deploy.UnstickRequest{
		Client: c, Namespace: h.Namespace, ReleaseName: h.Release, GoOn: goOn,
		Observe: func(e deploy.Event) { w.tell("unstick", hubName, Progress, e.Object, e.Message) },
	})
	if err != nil {
		return nil, &StepError{Step: "unstick", Hub: hubName, Cause: err}
	}
	out := sticking(hubName, done.Hang)
	out.Ways = []Way{}
	out.Done, out.Next = &done, w.afterwards(hubName, &done)
	neverUp := done.Runs.Revision == 0 && done.Hang != nil && done.Hang.Status == "pending-install"
	if done.Hang != nil && !done.Runs.Up && !neverUp {
		err = &StepError{Step: "unstick", Hub: hubName, Cause: fmt.Errorf("it hangs no more, and what it runs is not up: %s", done.Runs.Why)}
		w.tell("unstick", hubName, Failed, "", done.Runs.Why)
		return out, err
	}
	w.tell("unstick", hubName, Passed, "", fmt.Sprintf("revision %d runs", done.Runs.Revision))
	return out, nil
}

// afterwards are the commands that follow: what was half applied goes back, and what
// gauntlet did not make is replaced.
func (w *Workspace) afterwards(hubName string, done *deploy.Unstuck) []string {
	h, hang := w.Platform.Hubs[hubName], done.Hang
	if hang == nil {
		return nil
	}
	var next []string
	if !hang.Unapplied && done.Runs.Status != helmDeployed && done.Runs.Revision > 0 {
		back := fmt.Sprintf("helm --kube-context %s -n %s rollback %s %d", h.Cluster, h.Namespace, h.Release, done.Runs.Revision)
		if done.Runs.Gauntlet {
			back = fmt.Sprintf("gauntlet rollback %s --to %d --reason \"…\"", hubName, done.Runs.Revision)
		}
		next = append(next, back)
	}
	if hang.Gauntlet {
		return append(next, "gauntlet deploy RELEASE "+hubName)
	}
	return append(next, "gauntlet deploy RELEASE "+hubName+" --adopt")
}

// helmDeployed is Helm's word for a revision that has come to its end.
const helmDeployed = "deployed"

func sticking(hubName string, hang *deploy.Hang) *Sticking {
	s := &Sticking{Hub: hubName, Hang: hang, Ways: []Way{}}
	if hang == nil {
		return s
	}
	if !hang.Pending() {
		s.Ways = append(s.Ways, Way{"gauntlet unstick " + hubName + " --yes",
			fmt.Sprintf("removes the hooks that revision %d has left at work", hang.Revision)})
		return s
	}
	stays := "what of it has been applied stays: deploy, or roll back, afterwards"
	if hang.Unapplied {
		stays = "the hub stays at what it ran before, since nothing of it has been applied"
	}
	if hang.Gauntlet {
		s.Ways = append(s.Ways, Way{"gauntlet unstick " + hubName + " --yes",
			fmt.Sprintf("once no run of gauntlet holds the lock: marks revision %d failed and removes its hooks; %s. A deploy does the same and goes on", hang.Revision, stays)})
		return s
	}
	s.Alive = hang.Alive()
	does := fmt.Sprintf("marks revision %d failed and removes its hooks; %s", hang.Revision, stays)
	if hang.Hook != nil {
		does = fmt.Sprintf("lets %s fail, upon which a helm that is alive ends by itself; else %s", hang.Hook.Object, does)
	} else {
		does += ". A helm that is alive is not stopped by that: stop it where it runs"
	}
	s.Ways = append(s.Ways, Way{"gauntlet unstick " + hubName + " --yes", does})
	switch way, _ := deploy.WayOn(hang); way {
	case deploy.WithoutNodes:
		s.Ways = append(s.Ways, Way{"gauntlet unstick " + hubName + " --go-on --yes",
			fmt.Sprintf("leaves %s out of the hook, so that a helm that is alive goes on: the %d others are ready", hang.HeldBy(), hang.Ready)})
	case deploy.WithoutHook:
		s.Ways = append(s.Ways, Way{"gauntlet unstick " + hubName + " --go-on --yes",
			fmt.Sprintf("deletes %s, which Helm 3 takes for done, and goes on with the upgrade if it is alive: what the hook was to make sure of is then not so (images that are on no node)", hang.Hook.Object)})
	}
	return s
}
