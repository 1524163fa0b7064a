package deploy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// TestMain lets the test program be the run that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	flag.Parse()
	t := &testing.T{}
	c, err := kube.Connect(os.Getenv(contextEnv))
	switch {
	case err != nil:
	case os.Getenv("GAUNTLET_TEST_ROLLBACK") != "":
		_, err = Rollback(context.Background(), smallRollback(t, c, os.Getenv(childEnv)))
	default:
		variant := os.Getenv("GAUNTLET_TEST_VARIANT")
		values := release.Values{"cpu": variant, "hookCommand": "sleep 2"}
		if command := os.Getenv("GAUNTLET_TEST_COMMAND"); command != "" {
			values["command"] = command
		}
		_, err = Deploy(context.Background(), smallRequest(t, c, os.Getenv(childEnv), variant, values))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, ns, variant, point string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+ns, "GAUNTLET_TEST_VARIANT="+variant, kill.Env+"="+point)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestLabAKilledDeployIsResumed(t *testing.T) {
	c := labHub(t)
	for _, tt := range []struct {
		point  string
		fresh  bool // killed at the first install
		after  string
		reused bool
	}{
		{"deploy:locked", false, "2 deployed, 1 superseded", false},
		{"deploy:pending", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:pending", true, "2 deployed, 1 failed", false},
		{"deploy:hook", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:applied", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:superseded", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:recorded", false, "2 deployed, 1 superseded", true},
	} {
		name := strings.ReplaceAll(tt.point, ":", "-")
		if tt.fresh {
			name += "-at-install"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := labNamespace(t, c)
			if !tt.fresh {
				if _, err := Deploy(t.Context(), smallRequest(t, c, ns, "1m", release.Values{"cpu": "1m"})); err != nil {
					t.Fatal(err)
				}
			}
			err := child(t, ns, "2m", tt.point).Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the run was not killed: %v", err)
			}
			r := smallRequest(t, c, ns, "2m", release.Values{"cpu": "2m", "hookCommand": "sleep 2"})
			begun := time.Now()
			res, err := Deploy(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("resumed in %s", time.Since(begun).Round(time.Second))
			if res.Reused != tt.reused {
				t.Errorf("%+v", res)
			}
			if h := history(t, r); h != tt.after && h != strings.Replace(tt.after, "failed", "superseded", 1) {
				t.Errorf("history %s, want %s", h, tt.after)
			}
			recs, err := helm.New(c, ns, nil).History("small")
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range recs {
				if rec.Status == helm.Failed && !strings.Contains(rec.Description, "interrupted") {
					t.Errorf("revision %d failed without its reason: %s", rec.Revision, rec.Description)
				}
			}
			if s := State(t.Context(), c, ns, "small"); s.Deployable != r.Deployable.Label() || s.Revision != res.Revision {
				t.Errorf("state %+v", s)
			}
		})
	}
}

// A run that sleeps while another takes its hub over must not touch it on waking.
func TestLabAPausedRunChangesNothingWhenItWakes(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	if _, err := Deploy(t.Context(), smallRequest(t, c, ns, "1m", nil)); err != nil {
		t.Fatal(err)
	}
	paused := child(t, ns, "3m", "")
	paused.Env = append(paused.Env, "GAUNTLET_TEST_COMMAND=sleep 1000")
	var said strings.Builder
	paused.Stderr = &said
	if err := paused.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() bool {
		d, err := c.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil && strings.Contains(strings.Join(d.Spec.Template.Spec.Containers[0].Command, " "), "sleep 1000")
	})
	if err := paused.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	two := smallRequest(t, c, ns, "2m", release.Values{"cpu": "2m"})
	begun := time.Now()
	if res, err := Deploy(t.Context(), two); err != nil || res.Revision != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	t.Logf("taken over and deployed in %s", time.Since(begun).Round(time.Second))
	if err := paused.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := paused.Wait(); err == nil {
		t.Error("the paused run succeeded")
	}
	t.Log(strings.TrimSpace(said.String()[strings.LastIndex(strings.TrimSpace(said.String()), "\n")+1:]))
	if !strings.Contains(said.String(), kube.ErrLockLost.Error()) {
		t.Errorf("it said: %s", said.String())
	}
	if h := history(t, two); h != "3 deployed, 2 failed, 1 superseded" {
		t.Error(h)
	}
	recs, err := helm.New(c, ns, nil).History("small")
	if err != nil || !strings.Contains(recs[1].Description, "interrupted") {
		t.Errorf("%+v, %v", recs, err)
	}
}
