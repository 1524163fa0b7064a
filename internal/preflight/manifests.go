package preflight

import (
	"fmt"

	"gauntlet/internal/preflight/codes"
)

// manifests tells what the API server says of what would be applied.
func manifests(f *Facts) []Finding {
	var out []Finding
	switch {
	case f.Refused != "" && f.NoKind:
		out = append(out, Finding{Code: codes.APIRemoved, Cause: f.Refused,
			Fix: "take a version of the chart that fits this cluster's Kubernetes, or install what defines the kind"})
	case f.Refused != "":
		out = append(out, Finding{Code: codes.ManifestRefused, Cause: f.Refused,
			Fix: "mend the value or the template that it names, and make a new release"})
	}
	for _, w := range f.Deprecated {
		out = append(out, Finding{Code: codes.APIDeprecated, Cause: w, Fix: "take a newer version of the chart before the cluster is upgraded"})
	}
	return out
}

// helmRecord looks whether Helm's newest record lets a deployment begin.
func helmRecord(f *Facts) []Finding {
	object := fmt.Sprintf("Helm release %s/%s", f.Namespace, f.Release)
	var out []Finding
	if f.Lock != "" {
		out = append(out, Finding{Code: codes.HelmBusy, Object: object, Cause: f.Lock + " changes this hub now", Fix: "wait: the deployment does so by itself"})
	}
	if f.Owned != "" {
		out = append(out, Finding{Code: codes.HelmOwned, Object: object, Cause: f.Owned})
	}
	if f.Lost != "" {
		out = append(out, Finding{Code: codes.ValuesLost, Object: object, Cause: f.Lost})
	}
	r := f.Helm
	switch {
	case !r.Installed():
	case r.Pending && r.Ours && f.Lock == "":
		out = append(out, Finding{Code: codes.HelmInterrupted, Object: object,
			Cause: fmt.Sprintf("revision %d (%s) was interrupted", r.Revision, r.Status),
			Fix:   "nothing: the deployment marks it failed and goes on"})
	case r.Pending && r.Ours:
	case r.Pending:
		out = append(out, Finding{Code: codes.HelmPending, Object: object,
			Cause: fmt.Sprintf("revision %d is %s, and gauntlet did not begin it: somebody works on it, or was interrupted", r.Revision, r.Status),
			Fix:   "gauntlet unstick " + f.Hub})
	case !r.Ours && f.Adopt:
		out = append(out, Finding{Code: codes.HelmForeign, Severity: codes.Warning, Object: object,
			Cause: fmt.Sprintf("revision %d (%s) was not made by gauntlet and is taken over", r.Revision, r.Status)})
	case !r.Ours:
		out = append(out, Finding{Code: codes.HelmForeign, Object: object,
			Cause: fmt.Sprintf("revision %d (%s) was not made by gauntlet", r.Revision, r.Status),
			Fix:   "gauntlet adopt " + f.Hub + ", or gauntlet deploy … --adopt to replace what it runs"})
	}
	return out
}

// unseen tells what could not be looked at.
func unseen(f *Facts) []Finding {
	var out []Finding
	for _, u := range f.Unseen {
		out = append(out, Finding{Code: codes.Unseen, Object: u.What, Cause: u.Why})
	}
	return out
}
