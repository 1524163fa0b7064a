package suites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/hub"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// These tests need a real cluster (GAUNTLET_TEST_CONTEXT) and the example's notebook
// image in a registry it can pull from (GAUNTLET_TEST_NOTEBOOK, name:tag).
const (
	contextEnv  = "GAUNTLET_TEST_CONTEXT"
	notebookEnv = "GAUNTLET_TEST_NOTEBOOK"
	childEnv    = "GAUNTLET_TEST_SUITE_CHILD"
	namespace   = "h-suites-hub"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	c, err := kube.Connect(os.Getenv(contextEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	check.Run(context.Background(), Hub(target(c, os.Getenv(childEnv))), nil)
	os.Exit(0)
}

// takesLong skips what is a part of make test-lab alone.
func takesLong(t *testing.T, long bool) {
	t.Helper()
	if long && os.Getenv("GAUNTLET_LONG") == "" {
		t.Skip("part of make test-lab: GAUNTLET_LONG=1")
	}
}

func target(c *kube.Client, url string) HubTarget {
	return HubTarget{
		Client: c, Namespace: namespace, URL: url, APITokenFrom: config.SecretKey{Secret: "hub", Key: "gauntlet"},
		Notebook: digestIn(os.Getenv(notebookEnv)),
		Runs:     func(context.Context) error { return nil },
		Observe:  func(l string) { fmt.Fprintln(os.Stderr, "   ", time.Now().Format("05.0"), l) },
	}
}

// labHub deploys the example's hub, and gives its address. The deployment is kept
// between the tests, since it is the slow part.
func labHub(t *testing.T, c *kube.Client, values release.Values) string {
	t.Helper()
	return labHubUnder(t, c, nil, values)
}

// labHubUnder is labHub under a lock that the caller holds, if any.
func labHubUnder(t *testing.T, c *kube.Client, held *kube.Held, values release.Values) string {
	t.Helper()
	const dir = "../../../examples/pangeo/chart"
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	chart, err := release.PackChart(files, "", "")
	if err != nil {
		t.Fatal(err)
	}
	image, digest, _ := strings.Cut(os.Getenv(notebookEnv), "@")
	colon := strings.LastIndex(image, ":")
	base := release.Values{"jupyterhub": map[string]any{
		"auth":       map[string]any{"whitelist": map[string]any{"users": []any{"ada"}}},
		"singleuser": map[string]any{"image": map[string]any{"name": image[:colon], "tag": image[colon+1:] + "@" + digest}},
	}}
	v := release.Merge(base, values)
	d := release.DigestOf([]byte(fmt.Sprint(v)))
	begun := time.Now()
	_, err = deploy.Deploy(t.Context(), deploy.Request{
		Client: c, Namespace: namespace, ReleaseName: "hub", Chart: chart, Values: v,
		Deployable: d, Access: d, Release: d, Timeout: 4 * time.Minute, Held: held,
		Observe: func(e deploy.Event) { t.Log(e.Step, e.Object, e.Message) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("deployed in %s", time.Since(begun))
	svc, err := c.CoreV1().Services(namespace).Get(t.Context(), "proxy-public", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := c.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatal(err)
	}
	for _, a := range nodes.Items[0].Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return fmt.Sprintf("http://%s:%d", a.Address, svc.Spec.Ports[0].NodePort)
		}
	}
	t.Fatal("no address of a node")
	return ""
}

// awaitGone waits until the namespace is not on its way out.
func awaitGone(t *testing.T, c *kube.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		ns, err := c.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && ns.DeletionTimestamp == nil {
			return
		}
		if err := kube.Sleep(ctx, 200*time.Millisecond); err != nil {
			t.Fatalf("namespace %s is not gone after a minute", namespace)
		}
	}
}

func connect(t *testing.T) *kube.Client {
	t.Helper()
	name := os.Getenv(contextEnv)
	if name == "" || os.Getenv(notebookEnv) == "" {
		t.Skipf("needs a cluster: set %s and %s", contextEnv, notebookEnv)
	}
	c, err := kube.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := ggcr.ParseReference(os.Getenv(notebookEnv), ggcr.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := ref.(ggcr.Digest); !ok {
		head, err := remote.Head(ref, remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(notebookEnv, os.Getenv(notebookEnv)+"@"+head.Digest.String())
	}
	awaitGone(t, c) // what an earlier test removes
	t.Cleanup(func() {
		if os.Getenv("GAUNTLET_KEEP") != "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return c
}

func run(t *testing.T, target HubTarget) map[string]check.Outcome {
	t.Helper()
	out := map[string]check.Outcome{}
	check.Run(t.Context(), Hub(target), func(o check.Outcome) {
		t.Logf("%-36s %s %6.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
		out[o.Name] = o
	})
	return out
}

// nothingLeft asserts that no trace of a probe is in the hub and the cluster.
func nothingLeft(t *testing.T, c *kube.Client, url string) {
	t.Helper()
	token, err := hub.Token(t.Context(), c, namespace, config.SecretKey{Secret: "hub", Key: "gauntlet"})
	if err != nil {
		t.Fatal(err)
	}
	p := &probe{t: target(c, url), hub: hub.New(url, token)}
	left, err := p.leftovers(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	volumes, err := c.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Items {
		if r := v.Spec.ClaimRef; r != nil && r.Namespace == namespace && strings.Contains(r.Name, "probe") {
			t.Errorf("volume %s of %s is left", v.Name, r.Name)
		}
	}
}

func TestLabHubSuite(t *testing.T) {
	c := connect(t)
	url := labHub(t, c, nil)

	t.Run("passes and leaves nothing", func(t *testing.T) {
		for name, o := range run(t, target(c, url)) {
			if o.State != check.Passed {
				t.Errorf("%s: %+v", name, o)
			}
		}
		nothingLeft(t, c, url)
	})
	t.Run("another image than the release's fails", func(t *testing.T) {
		other := target(c, url)
		other.Notebook = release.DigestOf([]byte("another"))
		got := run(t, other)
		if o := got["server runs the release's notebook"]; o.State != check.Failed || !strings.Contains(o.Message, "no container") {
			t.Errorf("%+v", o)
		}
		nothingLeft(t, c, url)
	})
	t.Run("another deployable is no subject of its evidence", func(t *testing.T) {
		other := target(c, url)
		other.Runs = func(context.Context) error { return errors.New("it runs another") }
		if o := run(t, other)["hub reserved"]; o.State != check.Failed || o.Message != "it runs another" {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a wrong token is named", func(t *testing.T) {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "wrong", Namespace: namespace}, Data: map[string][]byte{"t": []byte("no")}}
		if _, err := c.CoreV1().Secrets(namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		wrong := target(c, url)
		wrong.APITokenFrom = config.SecretKey{Secret: "wrong", Key: "t"}
		if o := run(t, wrong)["hub answers"]; o.State != check.Failed || !strings.Contains(o.Message, "token is not known") {
			t.Errorf("%+v", o)
		}
	})
	for _, point := range []string{"hub:user", "hub:server"} {
		t.Run("killed at "+point, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+url, kill.Env+"="+point)
			cmd.Stderr = os.Stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("not killed: %v", err)
			}
			got := run(t, target(c, url))
			if o := got["no earlier probe is left"]; o.State != check.Passed || o.Message != "removed 1" {
				t.Errorf("%+v", o)
			}
			if o := got["nothing is left"]; o.State != check.Passed {
				t.Errorf("%+v", o)
			}
			nothingLeft(t, c, url)
		})
	}
	t.Run("a server that cannot start is named by its pod", func(t *testing.T) {
		url := labHub(t, c, release.Values{"jupyterhub": map[string]any{"singleuser": map[string]any{
			"image": map[string]any{"tag": "no-such-tag"}}}})
		got := run(t, target(c, url))
		o := got["server starts"]
		if o.State != check.Failed || !strings.Contains(o.Message, kube.ImageNotFound) || o.Took > 60*time.Second {
			t.Errorf("%+v", o)
		}
		nothingLeft(t, c, url)
	})
}
