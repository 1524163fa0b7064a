package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// PullFault makes pods on simulated nodes have trouble with an image. A pod that
// runs already is left alone.
type PullFault struct {
	Prefix  string        // of the nodes, as in Simulated
	Node    string        // one node only, when not empty
	Image   string        // what the image reference contains; empty means every image
	Pulling time.Duration // the pull takes this long and then succeeds
	Message string        // else it fails with these words; empty means that the registry has no such image
}

// Delays between the states of a pull that fails, as a kubelet has them at first.
const (
	pullBackOff = 10 * time.Second
	pullAgain   = 20 * time.Second
)

const stagesPath = "/apis/kwok.x-k8s.io/v1alpha1/stages"

// FailPulls makes a fault, beside those there are. RemoveSimulated removes it.
func FailPulls(ctx context.Context, cluster string, f PullFault) error {
	return withClient(cluster, func(client *apiClient) error {
		for _, s := range f.stages() {
			if err := client.create(ctx, stagesPath, s); err != nil {
				return fmt.Errorf("make pulls fail on simulated nodes of %s (lab nodes simulate makes some): %w", cluster, err)
			}
		}
		return nil
	})
}

// HealPulls removes the faults made for a prefix, or all when it is empty. Pods
// that wait then go on.
func HealPulls(ctx context.Context, cluster, prefix string) error {
	return withClient(cluster, func(client *apiClient) error { return client.removePullFaults(ctx, prefix) })
}

func (a *apiClient) removePullFaults(ctx context.Context, prefix string) error {
	var list struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
		}
	}
	if err := a.get(ctx, stagesPath, &list); err != nil {
		if errors.Is(err, errNotFound) {
			return nil // nothing was ever simulated here
		}
		return err
	}
	var errs []error
	for _, s := range list.Items {
		of, fault := s.Metadata.Labels[faultKey]
		if fault && (prefix == "" || of == prefix) {
			errs = append(errs, a.removeIfThere(ctx, stagesPath+"/"+s.Metadata.Name))
		}
	}
	return errors.Join(errs...)
}

// faultKey labels stages of faults with the prefix they were made for.
const faultKey = "lab.gauntlet/fault-of"

// stages are the states a pod goes through.
func (f PullFault) stages() []map[string]any {
	const reason = `[.status.initContainerStatuses[]?, .status.containerStatuses[]?] | map(.state.waiting.reason // empty) | join(",")`
	begins := f.stage("begins", 0,
		match{reason + ` | test("ErrImagePull|ImagePullBackOff|ContainerCreating")`, "NotIn", "true"})
	begins.event("Normal", "Pulling", fmt.Sprintf("Pulling image %q", f.Image))
	begins.waiting(f, "ContainerCreating", "")
	if f.Pulling > 0 {
		done := f.stage("done", f.Pulling, match{reason + ` | contains("ContainerCreating")`, "In", "true"})
		done.event("Normal", "Pulled", fmt.Sprintf("Successfully pulled image %q in %s (simulated)", f.Image, f.Pulling))
		done.status(podReady)
		return []map[string]any{begins.object(), done.object()}
	}
	words := f.Message
	if words == "" {
		words = fmt.Sprintf(`rpc error: code = NotFound desc = failed to pull and unpack image %q: failed to resolve reference %q: %s: not found`, f.Image, f.Image, f.Image)
	}
	failed := func(name string, after time.Duration, from string) *stage {
		s := f.stage(name, after, match{reason + ` | contains("` + from + `")`, "In", "true"})
		s.event("Warning", "Failed", fmt.Sprintf("Failed to pull image %q: %s", f.Image, words))
		s.event("Warning", "Failed", "Error: ErrImagePull")
		s.waiting(f, "ErrImagePull", words)
		return s
	}
	fails, again := failed("fails", 500*time.Millisecond, "ContainerCreating"), failed("fails-again", pullAgain, "ImagePullBackOff")
	backOff := f.stage("waits", pullBackOff, match{reason + ` | contains("ErrImagePull")`, "In", "true"})
	backOff.event("Normal", "BackOff", fmt.Sprintf("Back-off pulling image %q", f.Image))
	backOff.waiting(f, "ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", f.Image, words))
	return []map[string]any{begins.object(), fails.object(), backOff.object(), again.object()}
}

// match is an expression in the language of jq, an operator and a value.
type match struct{ key, operator, value string }

// stage is a Stage of the simulator for pods.
type stage struct {
	name   string
	prefix string
	after  time.Duration
	match  []match
	steps  []map[string]any
}

// stage begins a stage for the pods that a fault is about.
func (f PullFault) stage(name string, after time.Duration, more ...match) *stage {
	prefix := Simulated{Prefix: f.Prefix}.prefix()
	node := fmt.Sprintf(".spec.nodeName | startswith(%s)", quoted(prefix+"-"))
	if f.Node != "" {
		node = ".spec.nodeName == " + quoted(f.Node)
	}
	image := fmt.Sprintf("[.spec.initContainers[]?, .spec.containers[]] | map(.image) | any(contains(%s))", quoted(f.Image))
	id := fmt.Sprintf("%s-pull-%s-%s", prefix, f.hash(), name)
	return &stage{name: id, prefix: prefix, after: after, match: append([]match{
		{".status.phase", "In", "Pending"}, {node, "In", "true"}, {image, "In", "true"},
		{`.metadata.deletionTimestamp // "no"`, "In", "no"}}, more...)}
}

func (s *stage) event(kind, reason, message string) {
	s.steps = append(s.steps, map[string]any{"event": map[string]string{"type": kind, "reason": reason, "message": message}})
}

func (s *stage) status(template string) {
	s.steps = append(s.steps, map[string]any{"patch": map[string]string{"subresource": "status", "root": "status", "template": template}})
}

// waiting says what the first container with the image waits for. The template
// knows init containers before it as done, and what comes after as not begun.
func (s *stage) waiting(f PullFault, reason, message string) {
	waits := fmt.Sprintf(`dict "reason" %s "message" %s`, quoted(reason), quoted(message))
	s.status(strings.NewReplacer("IMAGE", quoted(f.Image), "WAITING", waits).Replace(podPulling))
}

func (s *stage) object() map[string]any {
	var expressions []map[string]any
	for _, m := range s.match {
		expressions = append(expressions, map[string]any{"key": m.key, "operator": m.operator, "values": []string{m.value}})
	}
	return map[string]any{"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage",
		"metadata": map[string]any{"name": s.name, "labels": map[string]string{faultKey: s.prefix}},
		"spec": map[string]any{
			"resourceRef": map[string]string{"apiGroup": "v1", "kind": "Pod"},
			"selector":    map[string]any{"matchExpressions": expressions},
			"weight":      1, // wins over the stages of pods without a fault
			"delay":       map[string]any{"durationMilliseconds": s.after.Milliseconds()},
			"steps":       s.steps,
		}}
}

// quoted is a string for the languages of jq and of Go's templates.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(text)
}

// hash tells faults apart in the names of their stages.
func (f PullFault) hash() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{f.Prefix, f.Node, f.Image, f.Pulling.String(), f.Message}))
	return hex.EncodeToString(sum[:4])
}
