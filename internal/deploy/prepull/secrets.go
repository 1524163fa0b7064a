package prepull

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pullSecrets are the names of the Secrets that the pre-pull's pods pull with. One that
// the release itself makes is not there before its first installation, and may hold
// other credentials after an upgrade: then a copy of what it will be is made, which goes
// away with the pods.
func (s *Session) pullSecrets(ctx context.Context) ([]string, error) {
	if len(s.r.PullSecrets) == 0 || s.r.Brought == nil {
		return s.r.PullSecrets, nil
	}
	brought, err := s.r.Brought(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the pull secrets that the release brings: %w", err)
	}
	names := slices.Clone(s.r.PullSecrets)
	for i, name := range names {
		b, ok := brought[name]
		if !ok {
			continue
		}
		names[i] = fmt.Sprintf("gauntlet-prepull-%s-secret-%d", s.run.ID, i)
		own := s.run.Labels()
		own[PoolLabel] = "" // of all pools
		copied := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: names[i], Namespace: s.r.Namespace, Labels: own}, Type: b.Type, Data: b.Data}
		if _, err := s.r.Client.CoreV1().Secrets(s.r.Namespace).Create(ctx, copied, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("make Secret %s/%s, a copy of the release's %s: %w", s.r.Namespace, names[i], name, err)
		}
	}
	return names, nil
}

// copies are the Secrets that pre-pulls have made here, of those that a selector
// matches. Who may not list Secrets has made none.
func (s *Session) copies(ctx context.Context, selector string) ([]corev1.Secret, error) {
	found, err := s.r.Client.CoreV1().Secrets(s.r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the Secrets of pre-pulls in namespace %s: %w", s.r.Namespace, err)
	}
	return found.Items, nil
}

// removeCopies removes the Secrets that a selector matches.
func (s *Session) removeCopies(ctx context.Context, selector string) error {
	found, err := s.copies(ctx, selector)
	if err != nil {
		return err
	}
	for _, c := range found {
		err := s.r.Client.CoreV1().Secrets(s.r.Namespace).Delete(ctx, c.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove Secret %s/%s of the pre-pull: %w", s.r.Namespace, c.Name, err)
		}
	}
	return nil
}
