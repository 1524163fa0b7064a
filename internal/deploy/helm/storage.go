package helm

import (
	"maps"

	"helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"gauntlet/internal/kill"
)

// drilled is Helm's storage with the drill points that lie between its writes:
// Helm first makes a pending record, and when all is applied it marks the old
// revision superseded before the new one deployed. A kill between the two leaves
// no deployed revision at all.
type drilled struct {
	driver.Driver
	verb   string            // what is at work: begins the points' names
	labels map[string]string // of the revision that is made; nil leaves Helm's
}

func (d drilled) Create(key string, r release.Releaser) error {
	if v1, ok := r.(*release1.Release); ok && d.labels != nil {
		v1.Labels = maps.Clone(d.labels)
	}
	err := d.Driver.Create(key, r)
	kill.At(d.verb + ":pending")
	return err
}

func (d drilled) Update(key string, r release.Releaser) error {
	err := d.Driver.Update(key, r)
	if v1, ok := r.(*release1.Release); ok && v1.Info != nil && v1.Info.Status == common.StatusSuperseded {
		kill.At(d.verb + ":superseded")
	}
	return err
}
