// Package release names what gauntlet carries: image sets, deployables and
// releases, each identified by the digest of a deterministic OCI artifact. It is
// pure: no I/O and no clock.
package release

// An ImageSet is the images of one commit by digest: name as in gauntlet.yaml's
// images.build ("notebook", "worker", …) to manifest digest. Where they are kept
// is no part of it: REGISTRY/NAME@DIGEST of the configuration.
type ImageSet struct {
	Images map[string]Digest `json:"images"`
}

// Artifact is the image set as kept in the ledger's repository.
func (s ImageSet) Artifact() Artifact {
	return Artifact{Type: TypeImageSet, Config: canonical(s)}
}

// Digest identifies the image set.
func (s ImageSet) Digest() Digest { return s.Artifact().Digest() }

// A Deployable is what one hub will run but for who may log in: an image set, a
// packaged chart and the hub's values with the image slots blanked and the access
// paths left out.
type Deployable struct {
	ImageSet Digest `json:"imageSet"`
	Chart    Digest `json:"chart"`             // of the packaged chart (.tgz)
	Secrets  Digest `json:"secrets,omitempty"` // over the ciphertexts, in order
	Values   Values `json:"values"`
}

// Artifact is the deployable as kept in the ledger's repository.
func (d Deployable) Artifact() Artifact {
	return Artifact{Type: TypeDeployable, Config: canonical(d)}
}

// Digest identifies the deployable.
func (d Deployable) Digest() Digest { return d.Artifact().Digest() }

// A Part is one hub's share of a release.
type Part struct {
	Deployable Digest `json:"deployable"`
	Access     Digest `json:"access"` // of the canonical access values
	Target     Target `json:"target"`
}

// A Target is where a hub is and how it is reached.
type Target struct {
	Tier        string `json:"tier"`
	Cluster     string `json:"cluster"` // kubeconfig context
	Namespace   string `json:"namespace"`
	Release     string `json:"release"` // Helm release name
	URL         string `json:"url"`
	TokenSecret string `json:"tokenSecret,omitempty"` // Kubernetes Secret with the API token, in Namespace
	TokenKey    string `json:"tokenKey,omitempty"`
}

// A Release is an image set and, for every hub, its deployable and access values,
// with what it takes to deploy them anywhere.
type Release struct {
	ImageSet    Digest          `json:"imageSet"`
	Chart       Digest          `json:"chart"`
	Slots       map[string]Slot `json:"slots"`       // image of the set to where its reference goes
	AccessPaths []string        `json:"accessPaths"` // sorted: all that access values may hold
	Hubs        map[string]Part `json:"hubs"`
}
