package image

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

// builderTimeout is how long BuildKit may take to start in a pod, its image's pull
// included.
const builderTimeout = 10 * time.Minute

// A BuilderPod is BuildKit in a pod of the workbench.
type BuilderPod struct {
	bench *kube.Workbench
	pod   string
}

// StartBuilder starts BuildKit in a pod of the workbench and waits until it takes builds.
// It must be closed.
func StartBuilder(ctx context.Context, c *kube.Client, cfg config.Workbench, tell func(string)) (*BuilderPod, error) {
	ctx, cancel := context.WithTimeout(ctx, builderTimeout)
	defer cancel()
	bench, err := kube.OpenWorkbench(ctx, c, cfg)
	if err != nil {
		return nil, err
	}
	b := &BuilderPod{bench: bench}
	if err := b.start(ctx, *cfg.Builder, tell); err != nil {
		return nil, joinClose(ctx, fmt.Errorf("start BuildKit in the workbench: %w", err), b)
	}
	return b, nil
}

// joinClose closes a builder that is of no use; err is why.
func joinClose(ctx context.Context, err error, b *BuilderPod) error {
	if e := b.Close(context.WithoutCancel(ctx)); e != nil {
		return fmt.Errorf("%w; and what was begun is left: %w", err, e)
	}
	return err
}

func (b *BuilderPod) start(ctx context.Context, cfg config.Builder, tell func(string)) error {
	p := b.bench.Pod(kube.Job{Name: "buildkit", Image: cfg.Image, Ready: &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"buildctl", "debug", "workers"}}},
		PeriodSeconds: 1, TimeoutSeconds: 10, FailureThreshold: 60,
	}})
	main := &p.Spec.Containers[0]
	if cfg.SecurityContext != nil {
		main.SecurityContext = &corev1.SecurityContext{}
		if err := kube.Recode(cfg.SecurityContext, main.SecurityContext); err != nil {
			return fmt.Errorf("workbench.builder.securityContext in gauntlet.yaml: it must be a Kubernetes SecurityContext: %w", err)
		}
	}
	mount := func(name, path string, source corev1.VolumeSource) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		main.VolumeMounts = append(main.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
	}
	// Where BuildKit looks as root, and in its rootless image.
	state, settings := "/var/lib/buildkit", "/etc/buildkit"
	if strings.Contains(cfg.Image, "rootless") {
		state, settings = "/home/user/.local/share/buildkit", "/home/user/.config/buildkit"
	}
	keep := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	if cfg.Cache != "" {
		keep = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: cfg.Cache}}
	}
	mount("cache", state, keep)
	if cfg.ConfigMap != "" {
		mount("config", settings, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: cfg.ConfigMap}}})
	}
	made, err := b.bench.Client.CreatePod(ctx, p)
	if err != nil {
		return err
	}
	b.pod = made.Name
	_, err = b.bench.Client.WaitReadyTelling(ctx, b.bench.Namespace, b.pod, func(why *kube.PodError) { tell(why.Error()) })
	return err
}

// Dial connects to the pod's BuildKit. The connection outlives ctx: whoever dials
// closes it.
func (b *BuilderPod) Dial(ctx context.Context, _ string) (net.Conn, error) {
	return b.bench.Client.Stream(context.WithoutCancel(ctx), kube.Exec{
		Namespace: b.bench.Namespace, Pod: b.pod, Command: []string{"buildctl", "dial-stdio"},
	}), nil
}

// Close removes the pod and waits until it is gone.
func (b *BuilderPod) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return b.bench.Close(ctx)
}
