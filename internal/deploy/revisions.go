package deploy

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// A Revision is one revision in Helm's history, as its labels tell.
type Revision struct {
	Revision   int
	Status     string // Helm's word
	Deployable string // Digest.Label of it; "" when gauntlet did not make the revision
	Access     string
	Release    string
	Adopted    bool // somebody took it over
	Back       int  // the revision that this one goes back to; 0 for one that does not
	Restores   bool // and for that the hub's database was to be put back
}

// Ran says whether the revision is deployed or was: it is nobody's failed attempt.
func (r Revision) Ran() bool {
	return r.Status == helm.Deployed || r.Status == helm.Superseded
}

// Deployed says whether Helm has it as what runs.
func (r Revision) Deployed() bool { return r.Status == helm.Deployed }

// Same says whether two revisions of gauntlet are of the same things.
func (r Revision) Same(o Revision) bool {
	return r.Deployable != "" && r.Deployable == o.Deployable && r.Access == o.Access
}

// Revisions are the revisions of a hub's Helm release, the newest first; none when
// there is no such release. It takes no longer than ten seconds.
func Revisions(ctx context.Context, c *kube.Client, namespace, releaseName string) ([]Revision, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	records, err := readRecords(bounded, c, namespace, releaseName)
	if err != nil {
		if bounded.Err() != nil {
			err = context.Cause(bounded)
		}
		return nil, fmt.Errorf("read Helm release %s/%s of cluster %s: %w", namespace, releaseName, c.Context, err)
	}
	return revisionsOf(records), nil
}

func revisionsOf(records []metav1.PartialObjectMetadata) []Revision {
	var out []Revision
	for _, m := range records {
		r := Revision{Revision: revisionOf(m), Status: m.Labels["status"]}
		if ours(m.Labels, r.Revision) {
			r.Deployable, r.Access, r.Release = m.Labels[labelDeployable], m.Labels[labelAccess], m.Labels[labelRelease]
		}
		r.Adopted = adopted(m.Labels, r.Revision)
		if _, to, ok := backLabel(m.Labels, r.Revision); ok {
			r.Back, r.Restores = to, noted(m.Labels, labelRestored, r.Revision) != ""
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Revision) int { return b.Revision - a.Revision })
	return out
}
