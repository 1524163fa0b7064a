package pipeline

import "context"

// preflight looks for what would make the deployment fail before anything is touched.
func (w *Workspace) preflight(ctx context.Context, s *sight, m *move) error {
	return nil
}
