// Package codes names what preflight looks for. The names are stable: teams write
// them into gauntlet.yaml, and the ledger keeps them.
package codes

import "slices"

// A Severity says what a finding does to a deployment.
type Severity string

const (
	Error   Severity = "error"   // it stops the deployment
	Warning Severity = "warning" // it is recorded, and the deployment goes on
	Off     Severity = "off"     // in gauntlet.yaml alone: it is not told
)

// A Code is one thing that is looked for.
type Code struct {
	Name     string
	Severity Severity // what a finding is unless gauntlet.yaml says otherwise; a single finding may be a mere warning
	Fixed    bool     // gauntlet.yaml cannot lower it: the deployment could not succeed
	Files    bool     // `gauntlet config check` looks for it too
	Modes    []int    // the failure modes of docs/preflight.md that it sees
	Means    string   // in a line
}

// All are the codes in the order they are looked for.
var All = []Code{
	{Name: ManifestRefused, Severity: Error, Fixed: true, Modes: []int{20}, Means: "chart and values do not render, or the API server refuses an object"},
	{Name: APIRemoved, Severity: Error, Fixed: true, Modes: []int{20}, Means: "the cluster does not know a kind of object that the chart renders"},
	{Name: APIDeprecated, Severity: Warning, Modes: []int{20}, Means: "the API server warns of a kind or field that goes away"},

	{Name: HelmPending, Severity: Error, Fixed: true, Modes: []int{3}, Means: "another tool began a Helm operation that has not ended"},
	{Name: HelmInterrupted, Severity: Warning, Modes: []int{3}, Means: "an earlier run of gauntlet did not end; the deployment repairs its record"},
	{Name: HelmBusy, Severity: Warning, Modes: []int{3}, Means: "somebody holds the lock of the namespace"},
	{Name: HelmForeign, Severity: Error, Fixed: true, Modes: []int{3}, Means: "the newest Helm revision is not gauntlet's"},
	{Name: HelmOwned, Severity: Error, Fixed: true, Means: "Argo CD or Flux owns objects of the hub, and would undo the deployment"},
	{Name: ValuesLost, Severity: Error, Fixed: true, Means: "the hub runs with values that somebody gave by hand and that the release lacks"},

	{Name: ImageInvalid, Severity: Error, Fixed: true, Modes: []int{2}, Means: "an image's name cannot be read"},
	{Name: ImageMissing, Severity: Error, Fixed: true, Modes: []int{2, 25}, Means: "an image's registry does not have it"},
	{Name: ImageDenied, Severity: Error, Fixed: true, Modes: []int{2}, Means: "an image's registry refuses the hub's own pull secrets"},
	{Name: ImageUnreachable, Severity: Warning, Modes: []int{2}, Means: "an image's registry cannot be asked from here"},
	{Name: PullSecret, Severity: Warning, Modes: []int{2}, Means: "a pull secret is missing or cannot be read"},
	{Name: ChoiceUnlisted, Severity: Warning, Modes: []int{25}, Means: "users may type any image: it can be neither checked nor pulled beforehand"},

	{Name: NodeNone, Severity: Error, Modes: []int{1}, Means: "no node takes a pod of the release or of its users"},
	{Name: NodeFull, Severity: Warning, Modes: []int{1}, Means: "a node has no room for one more pod"},
	{Name: NodeSick, Severity: Warning, Modes: []int{1}, Means: "a node is cordoned, not ready or under pressure"},
	{Name: PullHook, Severity: Warning, Modes: []int{1}, Means: "a hook waits for a DaemonSet that such a node holds up"},

	{Name: DBSchema, Severity: Error, Modes: []int{5}, Means: "the hub would refuse its database: nobody upgrades the schema"},
	{Name: DBUpgrade, Severity: Warning, Modes: []int{6}, Means: "the hub's database is migrated, which only its copy takes back"},
	{Name: HubDowngrade, Severity: Error, Modes: []int{5}, Means: "the new hub is older than its database"},
	{Name: SingleuserVersion, Severity: Warning, Modes: []int{17}, Means: "hub and notebook hold different major versions of JupyterHub"},
	{Name: SingleuserCmd, Severity: Warning, Modes: []int{18}, Means: "the notebook image's own command may be no single-user server"},

	{Name: VolumeRolling, Severity: Warning, Modes: []int{8}, Means: "a rolling update waits for a volume that the old pod holds"},
	{Name: SlugScheme, Severity: Warning, Modes: []int{9}, Means: "homes are named otherwise by the new chart"},
	{Name: UsernameTemplate, Severity: Warning, Modes: []int{10}, Means: "{username} stands for something else in the new chart"},
	{Name: ClaimTemplate, Severity: Error, Modes: []int{11}, Means: "homes are looked for under other names"},

	{Name: SecretRegenerated, Severity: Error, Modes: []int{12}, Means: "every deploy makes a secret anew"},
	{Name: CertificateRegenerated, Severity: Warning, Modes: []int{12}, Means: "every deploy makes a certificate anew"},
	{Name: RestartsAlways, Severity: Warning, Modes: []int{12, 13}, Means: "every deploy restarts a workload, whatever it changes"},
	{Name: UsersCutOff, Severity: Warning, Modes: []int{13}, Means: "what users come in by restarts or moves"},
	{Name: NetworkPolicy, Severity: Warning, Modes: []int{21}, Means: "a network policy changes"},

	{Name: AllowNone, Severity: Error, Modes: []int{23}, Means: "the new hub lets nobody log in"},
	{Name: AllowAll, Severity: Warning, Modes: []int{23}, Means: "the new hub lets everybody log in"},
	{Name: ServerLeaked, Severity: Warning, Modes: []int{16}, Means: "a user's pod that the hub does not know holds a volume"},

	{Name: KeyTwice, Severity: Warning, Files: true, Means: "a key stands twice in a values file: Helm takes the last"},
	{Name: KeyUnknown, Severity: Warning, Files: true, Means: "the chart knows no such value"},
	{Name: SecretPlain, Severity: Warning, Files: true, Means: "a values file holds a secret in plain text"},

	{Name: Unseen, Severity: Warning, Means: "something could not be looked at"},
}

// The names.
const (
	ManifestRefused        = "manifest-refused"
	APIRemoved             = "api-removed"
	APIDeprecated          = "api-deprecated"
	HelmPending            = "helm-pending"
	HelmInterrupted        = "helm-interrupted"
	HelmBusy               = "helm-busy"
	HelmForeign            = "helm-foreign"
	HelmOwned              = "helm-owned"
	ValuesLost             = "values-lost"
	ImageInvalid           = "image-invalid"
	ImageMissing           = "image-missing"
	ImageDenied            = "image-denied"
	ImageUnreachable       = "image-unreachable"
	PullSecret             = "pull-secret"
	ChoiceUnlisted         = "choice-unlisted"
	NodeNone               = "node-none"
	NodeFull               = "node-full"
	NodeSick               = "node-sick"
	PullHook               = "pull-hook"
	DBSchema               = "db-schema"
	DBUpgrade              = "db-upgrade"
	HubDowngrade           = "hub-downgrade"
	SingleuserVersion      = "singleuser-version"
	SingleuserCmd          = "singleuser-cmd"
	VolumeRolling          = "volume-rolling"
	SlugScheme             = "slug-scheme"
	UsernameTemplate       = "username-template"
	ClaimTemplate          = "claim-template"
	SecretRegenerated      = "secret-regenerated"
	CertificateRegenerated = "certificate-regenerated"
	RestartsAlways         = "restarts-always"
	UsersCutOff            = "users-cut-off"
	NetworkPolicy          = "network-policy"
	AllowNone              = "allow-none"
	AllowAll               = "allow-all"
	ServerLeaked           = "server-leaked"
	KeyTwice               = "key-twice"
	KeyUnknown             = "key-unknown"
	SecretPlain            = "secret-plain"
	Unseen                 = "unseen"
)

// Find is the code of a name.
func Find(name string) (Code, bool) {
	i := slices.IndexFunc(All, func(c Code) bool { return c.Name == name })
	if i < 0 {
		return Code{}, false
	}
	return All[i], true
}

// Names are the names of all codes, in their order.
func Names() []string {
	out := make([]string, len(All))
	for i, c := range All {
		out[i] = c.Name
	}
	return out
}
