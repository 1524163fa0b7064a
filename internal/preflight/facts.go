package preflight

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/lint"
	"gauntlet/internal/plan"
)

// Facts are what is known before a deployment. What could not be found out is among
// Unseen and else left empty.
type Facts struct {
	Hub       string // by its name in gauntlet.yaml
	Cluster   string // kubeconfig context
	Namespace string
	Release   string    // of Helm
	Now       time.Time // by the cluster's API server

	Adopt  bool   // the deployment takes over what another tool has made
	Helm   Record // the newest record
	Reused bool   // the hub runs it already, by that record
	Owned  string // why another tool would undo the deployment, "" when none would
	Lost   string // which values that were given by hand would be lost, "" for none
	Lock   string // who holds the namespace's lock, "" for nobody

	Charts []Chart        // of the release: the chart and its subcharts
	Values map[string]any // as the templates see them, the charts' defaults included
	Linted []lint.Finding // what is wrong with what the team wrote, no decrypted secrets

	Refused    string        // why the release cannot be applied, in Helm's or the API server's words
	NoKind     bool          // of Refused: the cluster knows no such kind of object
	Deprecated []string      // the API server's warnings
	Objects    []plan.Pair   // live and to come
	Hooks      []plan.Object // that would run
	Doors      []plan.Object // Services and Ingresses that are live in the namespace

	NodesKnown bool
	Nodes      []corev1.Node
	NodePods   map[string]int                   // pods by node that have not ended
	Leases     map[string]*coordinationv1.Lease // of the nodes' kubelets
	Autoscaled bool                             // something in the cluster brings nodes
	Pods       []corev1.Pod                     // of the namespace
	Claims     []corev1.PersistentVolumeClaim

	Images  []Image
	Missing []string // pull secrets that the release names and that hold no credentials

	LiveVersion string          // of the JupyterHub that answers, "" when none does
	Servers     map[string]bool // USER/SERVERNAME of the servers that the hub knows, pending ones too
	Users       []string        // by name
	UsersKnown  bool            // the hub has told Servers and Users
	Tested      string          // version of JupyterHub that the image suite saw in the notebook image

	Unseen []Unseen
}

// A Record is a revision in Helm's history; Revision 0 is none.
type Record struct {
	Revision int
	Status   string // Helm's word
	Ours     bool   // gauntlet made it, or has taken it over
	Pending  bool
	Chart    Chart
}

// Installed says that there is a release that the deployment would upgrade.
func (r Record) Installed() bool { return r.Revision > 0 }

// A Chart is the chart of a release or a subchart of it.
type Chart struct {
	Path    string // value path of a subchart, "" for the chart itself
	Name    string
	Version string
	App     string // appVersion
}

// Unseen is something that could not be looked at.
type Unseen struct {
	What string // "the nodes"
	Why  string
}

// States of an Image.
const (
	Found       = "found"
	NotFound    = "not found"
	Denied      = "denied"
	Unreachable = "unreachable"
	Invalid     = "invalid"
)

// An Image is an image of the release and what its registry said.
type Image struct {
	Ref   string
	Users []string // where it stands: "Deployment/hub", "singleuser.profileList[0]"

	State       string
	Why         string // in the registry's or the network's words
	Credentials bool   // the hub has credentials for this registry
	Cloud       bool   // nodes of a cloud have credentials of their own for this registry

	Config *ImageConfig // of the notebook's and the hub's images alone
}

// ImageConfig is what an image says of itself.
type ImageConfig struct {
	Entrypoint, Cmd []string
	Env             map[string]string // of versions alone
	Labels          map[string]string
}
