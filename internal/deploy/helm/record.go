package helm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// States of a record, as Helm calls them.
const (
	Deployed    = string(common.StatusDeployed)
	Failed      = string(common.StatusFailed)
	Superseded  = string(common.StatusSuperseded)
	Uninstalled = string(common.StatusUninstalled)
)

// A Record is one revision in Helm's history.
type Record struct {
	Revision    int
	Status      string
	Description string
	Labels      map[string]string

	release *release1.Release
}

// Pending says that Helm began the revision and has not ended it.
func (r Record) Pending() bool { return common.Status(r.Status).IsPending() }

// Manifest is what the revision applied, as YAML, without hooks. It may hold Secrets.
func (r Record) Manifest() string { return r.release.Manifest }

// History is the revisions of a Helm release, the newest first; none when there is
// no such release.
func (h *Helm) History(name string) ([]Record, error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, err
	}
	list, err := s.Releases.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of Helm release %s/%s: %w", h.namespace, name, err)
	}
	var records []Record
	for _, r := range list {
		rec, err := record(r)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	slices.SortFunc(records, func(a, b Record) int { return b.Revision - a.Revision })
	return records, nil
}

func record(r release.Releaser) (Record, error) {
	v1, ok := r.(*release1.Release)
	if !ok || v1 == nil || v1.Info == nil {
		return Record{}, fmt.Errorf("a record of Helm of an unknown form (%T)", r)
	}
	return Record{
		Revision: v1.Version, Status: v1.Info.Status.String(), Description: v1.Info.Description,
		Labels: v1.Labels, release: v1,
	}, nil
}

// MarkFailed ends a revision that Helm began and did not end, because its process
// was killed. The caller knows that nobody works on it any more.
func (h *Helm) MarkFailed(r Record, why string) error {
	s, err := h.open(nil)
	if err != nil {
		return err
	}
	r.release.SetStatus(common.StatusFailed, why)
	if err := s.Releases.Update(r.release); err != nil {
		return fmt.Errorf("mark revision %d of Helm release %s/%s failed: %w", r.Revision, h.namespace, r.release.Name, err)
	}
	return nil
}

// Objects are the objects of a revision's manifest; hooks are not among them.
func (h *Helm) Objects(r Record) ([]Object, error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, err
	}
	list, err := s.KubeClient.Build(bytes.NewBufferString(r.release.Manifest), false)
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d of Helm release %s/%s: %w", r.Revision, h.namespace, r.release.Name, err)
	}
	return objects(list), nil
}
