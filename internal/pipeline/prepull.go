package pipeline

import "context"

// prepull brings the images to the nodes where users and workers will run.
func (w *Workspace) prepull(ctx context.Context, s *sight, m *move) error {
	return nil
}
