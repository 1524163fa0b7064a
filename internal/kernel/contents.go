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

// WriteNotebook writes a notebook of code cells into the server's folder, in the place of
// one that is there.
// Format: nbformat 4.5.
func (s *Server) WriteNotebook(ctx context.Context, name string, cells []string) error {
	type cell struct {
		Kind    string         `json:"cell_type"`
		ID      string         `json:"id"`
		Source  string         `json:"source"`
		Meta    map[string]any `json:"metadata"`
		Outputs []any          `json:"outputs"`
		Count   *int           `json:"execution_count"`
	}
	var list []cell
	for i, source := range cells {
		list = append(list, cell{Kind: "code", ID: fmt.Sprintf("cell-%d", i), Source: source, Meta: map[string]any{}, Outputs: []any{}})
	}
	content := map[string]any{
		"nbformat": 4, "nbformat_minor": 5, "cells": list,
		"metadata": map[string]any{"kernelspec": map[string]string{"name": "python3", "display_name": "Python 3", "language": "python"}},
	}
	return s.do(ctx, "save a notebook", http.MethodPut, map[string]any{"type": "notebook", "format": "json", "content": content}, nil, "api", "contents", name)
}
