package kernel

import (
	"context"
	"fmt"
	"net/http"
)

// RoundTrip writes a text file into the server's folder over its REST API, as the
// notebook's Save does, reads it back and removes it. name is of a file that does not
// exist; the error says which of the three failed.
// Format: Jupyter server's contents API.
func (s *Server) RoundTrip(ctx context.Context, name, text string) error {
	model := map[string]string{"type": "file", "format": "text", "content": text}
	if err := s.do(ctx, "save a file", http.MethodPut, model, nil, "api", "contents", name); err != nil {
		return err
	}
	var read struct {
		Content string `json:"content"`
	}
	err := s.do(ctx, "read a file", http.MethodGet, nil, &read, "api", "contents", name)
	if err == nil && read.Content != text {
		err = fmt.Errorf("a file of %d bytes was saved, and other %d bytes are read", len(text), len(read.Content))
	}
	if gone := s.do(context.WithoutCancel(ctx), "remove a file", http.MethodDelete, nil, nil, "api", "contents", name); err == nil {
		err = gone
	}
	return err
}
