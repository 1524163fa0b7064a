package suites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/hub"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// userKey is the label and annotation that KubeSpawner sets on what it makes for a
// user. The label's value is escaped in a way that differs between its versions;
// the annotation's is the name.
const userKey = "hub.jupyter.org/username"

// waitServer waits for the hub's word that the server is ready, and for the pod's
// own troubles, which show much earlier than the hub gives up.
func (p *probe) waitServer(ctx context.Context) (hub.Server, string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	ready := make(chan string, 1) // the pod
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	var trouble *kube.PodError // to be read once the watching has ended
	wg.Go(func() {
		err := p.watchPod(ctx, ready)
		// A pod that goes away was removed by the hub, which then says why.
		if errors.As(err, &trouble) && trouble.Reason != kube.Gone && ctx.Err() == nil {
			cancel(err)
		}
	})
	last := ""
	server, err := p.hub.WaitServer(ctx, p.name, func(pr hub.Progress) {
		if pr.Message != "" && pr.Message != last {
			last = pr.Message
			p.tell("%d %% %s", pr.Percent, pr.Message)
		}
	})
	if err != nil {
		cancel(err)
		wg.Wait()
		if trouble == nil || trouble.Reason == kube.Gone || trouble.Reason == kube.Slow {
			return server, "", err
		}
		var said *hub.SpawnError
		if errors.As(err, &said) {
			return server, "", fmt.Errorf("%w; the hub says: %s", trouble, said.Message)
		}
		return server, "", trouble
	}
	select {
	case pod := <-ready:
		return server, pod, nil
	case <-ctx.Done():
		return server, "", fmt.Errorf("the hub says that the server is ready, but its pod is not: %w", context.Cause(ctx))
	}
}

// watchPod waits until the probe's pod exists and is ready, and then on: a container
// without a readiness probe counts as ready from its start, also one that ends at once.
// It returns why the pod does not run, or when ctx ends.
func (p *probe) watchPod(ctx context.Context, ready chan<- string) error {
	for {
		pods, err := p.podsOf(ctx, p.name)
		if err != nil {
			return err
		}
		if len(pods) > 0 {
			name := pods[0].Name
			_, err := p.t.Client.WaitReadyTelling(ctx, p.t.Namespace, name, func(why *kube.PodError) { p.tell("%v", why) })
			if err != nil {
				return err
			}
			ready <- name
			_, err = p.t.Client.WaitFinished(ctx, p.t.Namespace, name)
			return err
		}
		if err := kube.Sleep(ctx, 500*time.Millisecond); err != nil {
			return fmt.Errorf("the hub made no pod for %s: %w", p.name, err)
		}
	}
}

// podsOf are the pods that were made for a user.
func (p *probe) podsOf(ctx context.Context, user string) ([]corev1.Pod, error) {
	list, err := p.t.Client.CoreV1().Pods(p.t.Namespace).List(ctx, metav1.ListOptions{LabelSelector: userKey})
	if err != nil {
		return nil, fmt.Errorf("list the pods of users: %w", err)
	}
	var out []corev1.Pod
	for _, pod := range list.Items {
		if pod.Annotations[userKey] == user {
			out = append(out, pod)
		}
	}
	return out, nil
}

// image compares what the spawned pod runs with the image set, by digest: what the
// kubelet says it runs, not what the pod asks for.
func (p *probe) image(ctx context.Context) (string, error) {
	pod, err := p.t.Client.CoreV1().Pods(p.t.Namespace).Get(ctx, p.pod, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read pod %s: %w", p.pod, err)
	}
	p.shared = p.sharedClaims(ctx, pod)
	if p.t.Notebook == "" {
		return kube.OneLine(fmt.Sprintf("not compared, since the hub runs no release of gauntlet's: it runs %s", pod.Spec.Containers[0].Image)), nil
	}
	said, err := runs(ctx, pod, []release.Digest{p.t.Notebook})
	if err != nil {
		return "", fmt.Errorf("no container of pod %s runs the release's notebook %s: %w", p.pod, p.t.Notebook.Short(), err)
	}
	return said, nil
}

// runs says which container of a pod runs one of the images; the error says what its
// containers run instead.
func runs(ctx context.Context, pod *corev1.Pod, images []release.Digest) (string, error) {
	var others []string
	for _, s := range pod.Status.ContainerStatuses {
		d := digestIn(s.ImageID)
		if slices.Contains(images, d) {
			return fmt.Sprintf("container %s runs %s", s.Name, d.Short()), nil
		}
		// Some runtimes name the manifest of their platform where the pod asked for
		// an index of several.
		ref := askedFor(pod, s.Name)
		if index := digestIn(ref); d != "" && slices.Contains(images, index) && platformOf(ctx, ref, d) {
			return fmt.Sprintf("container %s runs %s, its platform's part of %s", s.Name, d.Short(), index.Short()), nil
		}
		others = append(others, fmt.Sprintf("container %s runs %s", s.Name, s.ImageID))
	}
	if len(others) == 0 {
		return "", errors.New("it has no running container")
	}
	return "", errors.New(kube.OneLine(strings.Join(others, "; ")))
}

// digestIn is the digest at the end of an image reference or imageID, if any.
func digestIn(ref string) release.Digest {
	i := strings.LastIndex(ref, "@")
	if i < 0 {
		return ""
	}
	d, err := release.ParseDigest(ref[i+1:])
	if err != nil {
		return ""
	}
	return d
}

func askedFor(pod *corev1.Pod, container string) string {
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			return c.Image
		}
	}
	return ""
}

// platformOf says whether a digest is a part of the index that ref names.
func platformOf(ctx context.Context, ref string, part release.Digest) bool {
	// A reference with tag and digest is read by its digest.
	if i := strings.LastIndex(ref, "@"); i >= 0 {
		repo := ref[:i]
		if c := strings.LastIndex(repo, ":"); c > strings.LastIndex(repo, "/") {
			repo = repo[:c]
		}
		ref = repo + ref[i:]
	}
	r, err := name.ParseReference(ref)
	if err != nil {
		return false
	}
	index, err := remote.Index(r, remote.WithContext(ctx))
	if err != nil {
		return false
	}
	m, err := index.IndexManifest()
	if err != nil {
		return false
	}
	for _, d := range m.Manifests {
		if d.Digest.String() == string(part) {
			return true
		}
	}
	return false
}

// sharedClaims are the claims that the pod mounts and that are not the probe's own:
// a folder for the probe may stay on them.
func (p *probe) sharedClaims(ctx context.Context, pod *corev1.Pod) []string {
	var shared []string
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		claim, err := p.t.Client.CoreV1().PersistentVolumeClaims(p.t.Namespace).Get(ctx, v.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
		if err == nil && claim.Annotations[userKey] != p.name {
			shared = append(shared, claim.Name)
		}
	}
	slices.Sort(shared)
	return slices.Compact(shared)
}
