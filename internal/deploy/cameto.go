package deploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// A Coming is the last time that something new came to a hub, also if it failed there
// or the hub has gone back from it since.
type Coming struct {
	Release  string    // Digest.Label of the release; "" when it was not gauntlet's, or is not known
	Revision int       // of the Helm release, 0 when there is none
	At       time.Time // by the API server
}

// LastComing reads from the Helm records what came to a hub last. It takes no longer
// than ten seconds.
func LastComing(ctx context.Context, c *kube.Client, namespace, releaseName string) (Coming, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	records, err := readRecords(bounded, c, namespace, releaseName)
	if err != nil {
		if bounded.Err() != nil {
			err = context.Cause(bounded)
		}
		return Coming{}, fmt.Errorf("read Helm release %s/%s of cluster %s: %w", namespace, releaseName, c.Context, err)
	}
	return comingOf(records), nil
}

// comingOf follows rollbacks to what they left.
func comingOf(records []metav1.PartialObjectMetadata) Coming {
	slices.SortFunc(records, func(a, b metav1.PartialObjectMetadata) int { return revisionOf(b) - revisionOf(a) })
	at := 0
	for i, r := range records {
		if revisionOf(r) > at && i > 0 {
			continue // before what the rollback left
		}
		c := Coming{Revision: revisionOf(r), At: r.CreationTimestamp.Time}
		if !ours(r.Labels, c.Revision) {
			return c
		}
		from, _, back := rollbackOf(helm.Record{Revision: c.Revision, Labels: r.Labels})
		if !back {
			c.Release = r.Labels[labelRelease]
			return c
		}
		at = from
	}
	return Coming{Revision: at}
}
