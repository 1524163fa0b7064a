package helm

import (
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
type drilled struct{ driver.Driver }

func (d drilled) Create(key string, r release.Releaser) error {
	err := d.Driver.Create(key, r)
	kill.At("deploy:pending")
	return err
}

func (d drilled) Update(key string, r release.Releaser) error {
	err := d.Driver.Update(key, r)
	if v1, ok := r.(*release1.Release); ok && v1.Info != nil && v1.Info.Status == common.StatusSuperseded {
		kill.At("deploy:superseded")
	}
	return err
}
