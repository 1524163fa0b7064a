package deploy

import (
	"context"
	"errors"

	"gauntlet/internal/check"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

var errTodo = errors.New("not written yet")

// Deploy brings a hub to what the request says, under the lock of its namespace.
func Deploy(ctx context.Context, r Request) (Result, error) { return Result{}, errTodo }

// State is what a hub runs, read from its Helm record; it never takes longer than
// ten seconds. What cannot be read is the state's Problem, which names the cluster.
func State(ctx context.Context, c *kube.Client, namespace, releaseName string) gate.HubState {
	return gate.HubState{Problem: errTodo.Error()}
}

// A Rendering is one hub's chart and values, to be rendered against its cluster.
type Rendering struct {
	Hub         string
	Connect     func() (*kube.Client, error)
	Cluster     string // kubeconfig context, to name it when it is down
	Namespace   string
	ReleaseName string
	Chart       []byte
	Values      release.Values
}

// RenderSuite is the suite "render": one check per hub, "HUB renders".
func RenderSuite(hubs []Rendering) check.Suite { return check.Suite{Name: "render"} }

// Decrypt decrypts a sops file (its bytes; name says what it is in messages) with
// the user's sops program.
func Decrypt(ctx context.Context, name string, ciphertext []byte) (release.Values, error) {
	return nil, errTodo
}
