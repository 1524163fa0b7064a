package suites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/dask"
	"gauntlet/internal/hub"
	"gauntlet/internal/kube"
)

// hubsTurn is how long the hub may take to remove a user's claim by itself before
// it is removed for it: not every hub is told to.
const hubsTurn = 10 * time.Second

// sweep removes what runs that were killed have left. Under the lock no such run
// is alive.
func (p *probe) sweep(ctx context.Context) (string, error) {
	if err := p.held.Check(); err != nil {
		return "", err
	}
	names, err := p.leftovers(ctx)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		p.tell("removes %s, left by a run that was killed", n)
		if _, err := p.remove(ctx, n); err != nil {
			return "", fmt.Errorf("remove %s, left by a run that was killed: %w", n, err)
		}
	}
	clusters, err := dask.Named(ctx, p.t.Client, p.t.Namespace, hub.ProbePrefix)
	if err != nil {
		return "", err
	}
	for _, n := range clusters {
		p.tell("removes Dask cluster %s, left by a run that was killed", n)
		c, err := dask.Open(p.fenced, p.t.Namespace, n)
		if err == nil {
			err = clearCluster(ctx, c, p.tell)
		}
		if err != nil {
			return "", fmt.Errorf("remove Dask cluster %s, left by a run that was killed: %w", n, err)
		}
	}
	if len(names)+len(clusters) == 0 {
		return "none was left", nil
	}
	return fmt.Sprintf("removed %d", len(names)+len(clusters)), nil
}

// operatorsTurn is how long the Dask operator may take to take its finalizers off before
// that is done for it.
const operatorsTurn = 30 * time.Second

// clearCluster removes all parts of a Dask cluster of a probe, and makes sure that they
// are gone.
func clearCluster(ctx context.Context, c *dask.Cluster, tell func(string, ...any)) error {
	begun := time.Now()
	for {
		parts, _, err := c.Parts(ctx)
		if err != nil {
			return err
		}
		if len(parts) == 0 {
			return nil
		}
		if err := c.Delete(ctx, parts); err != nil {
			return err
		}
		if time.Since(begun) > operatorsTurn {
			tell("the Dask operator does not let go of %s: its finalizers are taken off", join(parts))
			if err := c.Release(ctx, parts); err != nil {
				return err
			}
		}
		if kube.Sleep(ctx, time.Second) != nil {
			return fmt.Errorf("still there: %s: %w", join(parts), context.Cause(ctx))
		}
	}
}

// leftovers are the names of probes of which anything is there: a user, a pod or a
// claim.
func (p *probe) leftovers(ctx context.Context) ([]string, error) {
	users, err := p.hub.Users(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, u := range users {
		names = append(names, u.Name)
	}
	selector := metav1.ListOptions{LabelSelector: userKey}
	pods, err := p.t.Client.CoreV1().Pods(p.t.Namespace).List(ctx, selector)
	if err != nil {
		return nil, fmt.Errorf("list the pods of users: %w", err)
	}
	for _, o := range pods.Items {
		names = append(names, o.Annotations[userKey])
	}
	claims, err := p.t.Client.CoreV1().PersistentVolumeClaims(p.t.Namespace).List(ctx, selector)
	if err != nil {
		return nil, fmt.Errorf("list the claims of users: %w", err)
	}
	for _, o := range claims.Items {
		names = append(names, o.Annotations[userKey])
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, hub.ProbePrefix) || n == p.t.Spare })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// leave removes all that the run has made and gives the lock back.
func (p *probe) leave(ctx context.Context) (string, error) {
	if p.held == nil {
		return "nothing was made", nil
	}
	err, claims := p.held.Check(), 0
	if err == nil && p.name != "" {
		if p.token.ID != "" {
			// It goes with the user too, but a secret should not wait for that.
			if terr := p.hub.DeleteToken(ctx, p.name, p.token.ID); terr != nil {
				p.tell("%v", terr)
			}
		}
		claims, err = p.remove(ctx, p.name)
	}
	if p.t.Held == nil {
		if rerr := p.held.Release(); rerr != nil {
			p.tell("%v", rerr) // it goes stale by itself
		}
	}
	switch {
	case err != nil:
		return "", err
	case p.name == "":
		return "nothing was made", nil
	case len(p.shared) > 0:
		return "", check.Warning{Message: fmt.Sprintf("user, token and pod are gone, but the server mounted %s, which others use: "+
			"a folder of %s may be left there", strings.Join(p.shared, ", "), p.name)}
	case claims == 0:
		return "user, token and pod are gone; it had no claim", nil
	}
	return "user, token, pod, claim and volume are gone", nil
}

// remove removes a probe: server, user with tokens, pods, claims and volumes, and
// makes sure that they are gone. It says how many claims there were.
func (p *probe) remove(ctx context.Context, user string) (claims int, err error) {
	if err := p.hub.StopServer(ctx, user); err != nil {
		return 0, err
	}
	had, err := p.claimsOf(ctx, user)
	if err != nil {
		return 0, err
	}
	for {
		err := p.hub.DeleteUser(ctx, user)
		if err == nil {
			if _, err = p.hub.User(ctx, user); hub.IsNotFound(err) {
				break
			}
		}
		// A hub that still stops the server refuses for a moment.
		if kube.Sleep(ctx, time.Second) != nil {
			if err == nil {
				err = errors.New("the hub still knows the user")
			}
			return 0, fmt.Errorf("remove user %s: %w", user, err)
		}
	}
	if err := p.podsGone(ctx, user); err != nil {
		return 0, err
	}
	return len(had), p.claimsGone(ctx, user, had)
}

// podsGone waits until the user has no pod; one that the hub forgot is removed.
func (p *probe) podsGone(ctx context.Context, user string) error {
	begun := time.Now()
	for {
		pods, err := p.podsOf(ctx, user)
		if err != nil {
			return err
		}
		if len(pods) == 0 {
			return nil
		}
		if time.Since(begun) > hubsTurn && pods[0].DeletionTimestamp == nil {
			if err := p.fenced.DeletePod(ctx, p.t.Namespace, pods[0].Name); err != nil {
				return err
			}
			continue
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("pod %s is still there: %w", pods[0].Name, err)
		}
	}
}

func (p *probe) claimsOf(ctx context.Context, user string) ([]corev1.PersistentVolumeClaim, error) {
	list, err := p.t.Client.CoreV1().PersistentVolumeClaims(p.t.Namespace).List(ctx, metav1.ListOptions{LabelSelector: userKey})
	if err != nil {
		return nil, fmt.Errorf("list the claims of users: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(c corev1.PersistentVolumeClaim) bool { return c.Annotations[userKey] != user }), nil
}

// claimsGone waits until the user has no claim, and until the volumes of those they
// had are gone. What the hub keeps is removed: it is the probe's own.
func (p *probe) claimsGone(ctx context.Context, user string, had []corev1.PersistentVolumeClaim) error {
	begun := time.Now()
	volumes := map[string]bool{}
	note := func(claims []corev1.PersistentVolumeClaim) {
		for _, c := range claims {
			if c.Spec.VolumeName != "" {
				volumes[c.Spec.VolumeName] = true
			}
		}
	}
	note(had)
	for {
		claims, err := p.claimsOf(ctx, user)
		if err != nil {
			return err
		}
		note(claims)
		if len(claims) == 0 {
			break
		}
		if c := claims[0]; time.Since(begun) > hubsTurn && c.DeletionTimestamp == nil {
			err := p.fenced.CoreV1().PersistentVolumeClaims(p.t.Namespace).Delete(ctx, c.Name, metav1.DeleteOptions{
				Preconditions: &metav1.Preconditions{UID: &c.UID}})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("delete claim %s: %w", c.Name, err)
			}
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("claim %s is still there: %w", claims[0].Name, err)
		}
	}
	for v := range volumes {
		if err := p.volumeGone(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) volumeGone(ctx context.Context, volume string) error {
	for {
		v, err := p.t.Client.CoreV1().PersistentVolumes().Get(ctx, volume, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case apierrors.IsForbidden(err):
			return check.Warning{Message: "user, token, pod and claim are gone; whether the volume is cannot be seen: " + kube.OneLine(err.Error())}
		case err != nil:
			return fmt.Errorf("read volume %s: %w", volume, err)
		case v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRetain:
			return fmt.Errorf("volume %s has the reclaim policy Retain, so it stays: each probe leaves one behind; "+
				"give the hub a storage class with the policy Delete, and remove this one with `kubectl --context %s delete pv %s`",
				volume, p.t.Client.Context, volume)
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("volume %s is still there (%s): %w", volume, v.Status.Phase, err)
		}
	}
}
