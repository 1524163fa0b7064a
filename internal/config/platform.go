// Package config reads gauntlet.yaml and the policy. It is pure: callers read the
// files and hand over their bytes. Every problem of a file is reported at once,
// each with its line and column, its cause and the edit that fixes it.
package config

import "time"

// APIVersion is what gauntlet.yaml and policy.yaml name as their format.
const APIVersion = "gauntlet/v1"

// A Platform is gauntlet.yaml: where images and evidence live, how images are
// built, which chart is deployed, and the hubs. Paths in it are relative to the
// file's folder.
type Platform struct {
	APIVersion string         `yaml:"apiVersion"`
	Name       string         `yaml:"platform"`
	Registry   string         `yaml:"registry"` // repository prefix of the images: REGISTRY/NAME
	Ledger     string         `yaml:"ledger"`   // repository of all evidence
	Policy     string         `yaml:"policy"`   // file a policy change is proposed from; default policy.yaml
	Workbench  Workbench      `yaml:"workbench"`
	Images     Images         `yaml:"images"`
	Chart      Chart          `yaml:"chart"`
	Hubs       map[string]Hub `yaml:"hubs"`
	InSync     []InSync       `yaml:"inSync"`
	Graces     Graces         `yaml:"graces"`
	Preflight  Preflight      `yaml:"preflight"`
	// Suites are suites of the platform's own, by the names that the policy's tiers call
	// them: they run on hubs, beside those that gauntlet brings.
	Suites map[string]Suite `yaml:"suites"`

	Storage []Store `yaml:"storage"` // mounts and buckets of users, which the suite "storage" checks
	Viz     Viz     `yaml:"viz"`

	src *document
}

// Viz is what pages of users load from other places than their hub: the suite "viz" lets
// nothing else through, beside what it knows of the libraries.
type Viz struct {
	Through []string          `yaml:"through"` // how addresses begin that are let through: https://tiles.example.org/
	Serve   map[string]string `yaml:"serve"`   // how they begin, and the folder beside gauntlet.yaml that answers in their place
}

// A Store is a place for data that users' servers and their workers have: a mount or a
// bucket. The suite "storage" writes into a folder of its own there.
type Store struct {
	Mount   string         `yaml:"mount" json:"mount,omitempty"`     // path of a file system, of FUSE or any other
	URL     string         `yaml:"url" json:"url,omitempty"`         // as fsspec reads it: s3://BUCKET/FOLDER, gs://…
	Options map[string]any `yaml:"options" json:"options,omitempty"` // of the url's file system; no secrets: those are in the servers' environment
	Only    string         `yaml:"only" json:"-"`                    // "notebook": workers do not have it
}

// Name is what the store is called in results.
func (s Store) Name() string {
	if s.Mount != "" {
		return s.Mount
	}
	return s.URL
}

// NotebookOnly says that workers do not have the store.
func (s Store) NotebookOnly() bool { return s.Only == "notebook" }

// A Suite is a suite of the platform's own.
type Suite struct {
	Tests []string `yaml:"tests"` // files beside gauntlet.yaml that run in a user's server
}

// Workbench is where builds are tested and pairings run.
type Workbench struct {
	Context         string            `yaml:"context"` // kubeconfig context
	Namespace       string            `yaml:"namespace"`
	NodeSelector    map[string]string `yaml:"nodeSelector"`
	Tolerations     []map[string]any  `yaml:"tolerations"`     // Kubernetes Toleration
	SecurityContext map[string]any    `yaml:"securityContext"` // Kubernetes PodSecurityContext
	Builder         *Builder          `yaml:"builder"`         // nil: images are built where BUILDKIT_HOST says
}

// A Builder is BuildKit in a pod of the workbench, made for one build and removed
// after it.
type Builder struct {
	Image           string         `yaml:"image"`           // with buildkitd and buildctl
	Cache           string         `yaml:"cache"`           // PersistentVolumeClaim that keeps its cache; "" keeps none
	ConfigMap       string         `yaml:"configMap"`       // with buildkitd.toml; "" for BuildKit's defaults
	SecurityContext map[string]any `yaml:"securityContext"` // Kubernetes SecurityContext of its container
}

// Images says what `gauntlet build` builds.
type Images struct {
	Source  string            `yaml:"source"` // folder inside a git repository, or URL#REF:FOLDER of one; its newest commit is the tag
	Base    string            `yaml:"base"`
	Args    map[string]string `yaml:"args"`    // build arguments of every image
	Secrets []BuildSecret     `yaml:"secrets"` // files the builds may mount, never kept in an image
	Build   map[string]Build  `yaml:"build"`
	Pairs   []Pair            `yaml:"pairs"`

	Alignment Alignment `yaml:"alignment"` // which packages of a pair must agree
}

// A BuildSecret is a file that Dockerfiles mount by id (RUN --mount=type=secret,id=…).
type BuildSecret struct {
	ID   string `yaml:"id"`
	File string `yaml:"file"`
}

// A Build is one image.
type Build struct {
	Dockerfile string            `yaml:"dockerfile"`
	Prepare    []string          `yaml:"prepare"`  // files of the source folder copied beside the Dockerfile
	From       string            `yaml:"from"`     // another image of this set: it takes the place of what the last stage is FROM
	Args       map[string]string `yaml:"args"`     // build arguments of this image, over those of all
	Imports    []string          `yaml:"imports"`  // Python modules the image promises
	Declares   []string          `yaml:"declares"` // requirements and environment.yml files of the source: what the image must hold
	Tests      []string          `yaml:"tests"`    // files beside gauntlet.yaml that the image test runs in it
}

// A Pair is a notebook and the worker that tasks of it run on. How the notebook finds
// it is one of these: a pod template in the notebook image, an environment variable of
// it (both are set to the worker's digest when they are built), the chart's values
// (chart.images has the worker, as with an option of dask-gateway), or that both are
// one image.
type Pair struct {
	Notebook    string `yaml:"notebook"`
	Worker      string `yaml:"worker"`
	Template    string `yaml:"template"`    // path in the notebook image
	Environment string `yaml:"environment"` // as DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE
	// Scheduler is the image of the set that the scheduler runs in, in a pod of its
	// own; "": it runs beside the client, in the notebook's pod.
	Scheduler string   `yaml:"scheduler"`
	Tests     []string `yaml:"tests"` // files beside gauntlet.yaml that run in the notebook, beside workers
}

// Chart is the Helm chart of the hubs, by path or by repository, name and version.
type Chart struct {
	Path    string               `yaml:"path"`
	Repo    string               `yaml:"repo"` // https://…, http://… or oci://…
	Name    string               `yaml:"name"`
	Version string               `yaml:"version"` // a single one
	Digest  string               `yaml:"digest"`  // of the archive, sha256:…; "" takes what the repository states
	Images  map[string]ImageSlot `yaml:"images"`  // image of the set to where its reference goes
	Access  []string             `yaml:"access"`  // value paths that say who may log in

	PrePuller PrePuller `yaml:"prePuller"`
}

// PrePuller is what gauntlet must know of a chart to bring images to the nodes in
// the chart's place. Of zero-to-jupyterhub, alone or as a dependency, it knows all of
// this; what is written here counts instead.
type PrePuller struct {
	Off          map[string]any `yaml:"off"`          // value path to value: switches off the hook that pulls images
	NodeSelector string         `yaml:"nodeSelector"` // value path of the node selector of users' pods
	Tolerations  []string       `yaml:"tolerations"`  // value paths of their tolerations
	PullSecrets  []string       `yaml:"pullSecrets"`  // value paths of the names of their image pull secrets
	StartTimeout string         `yaml:"startTimeout"` // value path of the seconds that a server may take to start
}

// An ImageSlot is the value paths of one image's name and tag. With only Name set,
// Name receives the whole reference.
type ImageSlot struct {
	Name string `yaml:"name"`
	Tag  string `yaml:"tag"`
}

// A Hub is one JupyterHub deployment. Its values are its files, then Set; secrets
// come last, when it is deployed.
type Hub struct {
	Tier         string         `yaml:"tier"`
	Cluster      string         `yaml:"cluster"` // kubeconfig context
	Namespace    string         `yaml:"namespace"`
	Release      string         `yaml:"release"` // Helm release name
	Values       []string       `yaml:"values"`  // files, the later wins
	Secrets      []string       `yaml:"secrets"` // sops files, over the values and Set
	Set          map[string]any `yaml:"set"`     // dotted value path to value, over the values files
	URL          string         `yaml:"url"`
	APITokenFrom SecretKey      `yaml:"apiTokenFrom"`
	Pools        []Pool         `yaml:"pools"`   // nodes that images are brought to; default: where users' pods may run
	PrePull      PrePull        `yaml:"prePull"` // when they count as there
}

// A Pool is a group of nodes that the same images are brought to.
type Pool struct {
	Name         string            `yaml:"name"`
	NodeSelector map[string]string `yaml:"nodeSelector"`
	Tolerations  []map[string]any  `yaml:"tolerations"` // Kubernetes Toleration
	Min          *int              `yaml:"min"`         // nodes it must have; default 1; 0: it may be scaled to nothing
	// Images are names of images.build, or whole references; default: what users'
	// pods and their Dask workers run.
	Images []string `yaml:"images"`
}

// PrePull says when the images are where they shall be.
type PrePull struct {
	Quorum  Percent       `yaml:"quorum"`  // of each pool's nodes that can be had; default 100%
	Timeout time.Duration `yaml:"timeout"` // default 30m
}

// A Percent is a whole share of a hundred, written 90%.
type Percent int

// A SecretKey is one key of a Kubernetes Secret in the hub's namespace.
type SecretKey struct {
	Secret string `yaml:"secret"`
	Key    string `yaml:"key"`
}

// InSync names value paths that must be equal in all the files.
type InSync struct {
	Files []string `yaml:"files"`
	Paths []string `yaml:"paths"`
}
