package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	helmkube "helm.sh/helm/v4/pkg/kube"
)

// plainHelmEnv makes a run of this test binary one of plain helm: what it holds is a
// plainHelm.
const plainHelmEnv = "E2E_PLAIN_HELM"

// A plainHelm is `helm upgrade --reuse-values --wait`, by the SDK that the helm program
// is made of. It knows nothing of gauntlet.
type plainHelm struct {
	Context, Namespace, Release, Chart string
	Values                             map[string]any
	Timeout                            time.Duration
}

func (p plainHelm) run() error {
	settings := cli.New()
	settings.KubeContext = p.Context
	settings.SetNamespace(p.Namespace)
	cfg := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := cfg.Init(settings.RESTClientGetter(), p.Namespace, "secret"); err != nil {
		return err
	}
	chart, err := loader.Load(p.Chart)
	if err != nil {
		return err
	}
	up := action.NewUpgrade(cfg)
	up.Namespace, up.Timeout, up.ReuseValues = p.Namespace, p.Timeout, true
	up.WaitStrategy, up.ServerSideApply = helmkube.StatusWatcherStrategy, "auto"
	_, err = up.Run(p.Release, chart, p.Values)
	return err
}

// plainHelmMain is the main of such a run.
func plainHelmMain(spec string) int {
	var p plainHelm
	if err := json.Unmarshal([]byte(spec), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		return 1
	}
	return 0
}

// A helmProcess is plain helm at work.
type helmProcess struct {
	cmd    *exec.Cmd
	errout bytes.Buffer  // to be read when it has ended
	done   chan struct{} // closed then
}

// plainHelm starts an upgrade of the small platform's hub by plain helm, which goes on
// beside the test and is killed with it.
func (s *small) plainHelm(values map[string]any) *helmProcess {
	s.t.Helper()
	spec, err := json.Marshal(plainHelm{
		Context: "bleeding-edge", Namespace: s.name, Release: "testing", Chart: filepath.Join(s.dir, "chart"),
		Values: values, Timeout: 5 * time.Minute,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	p := &helmProcess{cmd: exec.Command(os.Args[0]), done: make(chan struct{})}
	p.cmd.Dir = s.dir
	p.cmd.Env = append(append([]string{}, s.env...), plainHelmEnv+"="+string(spec))
	p.cmd.Stderr = &p.errout
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		var exited *exec.ExitError
		if err := p.cmd.Wait(); err != nil && !errors.As(err, &exited) {
			s.t.Errorf("plain helm: %v", err)
		}
	}()
	s.t.Cleanup(p.kill)
	return p
}

// kill ends it with SIGKILL, unless it has ended.
func (p *helmProcess) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// ends waits until it has ended by itself, and gives its exit code.
func (p *helmProcess) ends(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("plain helm is still at work after %s", within)
		return -1
	}
}
