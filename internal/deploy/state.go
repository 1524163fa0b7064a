package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// Labels on a Helm record, and so on the Secret that holds it. Values are
// Digest.Label. The revision is said too, because Helm copies the labels of one
// revision to the next, whoever makes that one.
const (
	labelDeployable = "gauntlet/deployable"
	labelAccess     = "gauntlet/access"
	labelRelease    = "gauntlet/release"
	labelRevision   = "gauntlet/revision"
)

func labels(r Request, revision int) map[string]string {
	l := map[string]string{
		labelDeployable: r.Deployable.Label(),
		labelAccess:     r.Access.Label(),
		labelRelease:    r.Release.Label(),
		labelRevision:   strconv.Itoa(revision),
	}
	if r.Backup != "" {
		l[labelBackup] = note(revision, r.Backup)
	}
	return l
}

// ours says whether gauntlet made the revision that bears these labels.
func ours(labels map[string]string, revision int) bool {
	return labels[labelDeployable] != "" && labels[labelRevision] == strconv.Itoa(revision)
}

// askTime bounds what is asked of a cluster that may be down.
const askTime = 10 * time.Second

// State is what a hub runs, read from its Helm record; it takes no longer than ten
// seconds. What cannot be read is the state's Problem, which names the cluster.
//
// A hub whose newest revision failed or is unfinished runs nothing that could be
// named: its Deployable is "".
func State(ctx context.Context, c *kube.Client, namespace, releaseName string) gate.HubState {
	bounded, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	records, err := readRecords(bounded, c, namespace, releaseName)
	if err != nil {
		if bounded.Err() != nil {
			err = context.Cause(bounded)
		}
		return gate.HubState{Problem: fmt.Sprintf("Helm release %s/%s of cluster %s cannot be read: %v",
			namespace, releaseName, c.Context, err)}
	}
	return stateOf(records)
}

// Runs is nil when the hub runs that deployable and is done with it, else what it
// runs instead.
func Runs(ctx context.Context, c *kube.Client, namespace, releaseName string, d release.Digest) error {
	s := State(ctx, c, namespace, releaseName)
	at := fmt.Sprintf("revision %d of Helm release %s/%s in cluster %s", s.Revision, namespace, releaseName, c.Context)
	switch {
	case s.Problem != "":
		return errors.New(s.Problem)
	case s.Adopted:
		return fmt.Errorf("%s is what gauntlet found there and took over", at)
	case s.Foreign:
		return fmt.Errorf("%s was not made by gauntlet", at)
	case s.Deployable == "":
		return fmt.Errorf("%s is not deployed", at)
	case s.Deployable != d.Label():
		return fmt.Errorf("%s is deployable %.12s, not %s", at, s.Deployable, d.Short())
	}
	return nil
}

// readRecords reads the metadata of the Secrets that hold the records: all that is
// needed is in their labels, and the rest may be a megabyte each.
func readRecords(ctx context.Context, c *kube.Client, namespace, releaseName string) ([]metav1.PartialObjectMetadata, error) {
	m, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	list, err := m.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,name=" + releaseName})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// stateOf reads the state from the metadata of a release's records.
func stateOf(records []metav1.PartialObjectMetadata) gate.HubState {
	if len(records) == 0 {
		return gate.HubState{}
	}
	slices.SortFunc(records, func(a, b metav1.PartialObjectMetadata) int { return revisionOf(b) - revisionOf(a) })
	newest := records[0]
	status := newest.Labels["status"]
	s := gate.HubState{Revision: revisionOf(newest)}
	if status == helm.Uninstalled {
		return s
	}
	if !ours(newest.Labels, s.Revision) {
		s.Foreign = true
		s.Adopted = adopted(newest.Labels, s.Revision)
		return s
	}
	if status != helm.Deployed {
		return s
	}
	s.Deployable, s.Release = newest.Labels[labelDeployable], newest.Labels[labelRelease]
	// It became deployed with the last write to its record. A revision that changed
	// only who may log in goes on with what the one before it ran.
	s.Since = lastWrite(newest)
	for i := 1; i < len(records); i++ {
		r := records[i]
		same := ours(r.Labels, revisionOf(r)) && r.Labels["status"] == helm.Superseded &&
			r.Labels[labelDeployable] == s.Deployable && revisionOf(r) == revisionOf(records[i-1])-1
		if !same {
			break
		}
		s.Since = r.CreationTimestamp.Time
	}
	return s
}

func revisionOf(r metav1.PartialObjectMetadata) int {
	n, err := strconv.Atoi(r.Labels["version"])
	if err != nil {
		return 0
	}
	return n
}

// lastWrite is when the object was last written, by the API server.
func lastWrite(r metav1.PartialObjectMetadata) time.Time {
	t := r.CreationTimestamp.Time
	for _, f := range r.ManagedFields {
		if f.Time != nil && f.Time.After(t) {
			t = f.Time.Time
		}
	}
	return t
}
