package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// A worker template is YAML that describes Dask workers: a pod template
// (spec.containers), an object that holds one (spec.template.spec.containers), a
// DaskCluster or DaskWorkerGroup (spec.worker.spec.containers, and the
// scheduler's, which must match as well), or Dask's own configuration with any of
// these inside. What they share is a list named "containers" in a mapping named
// "spec": the image of each container in each such list is the worker's.

// setImages is the template with every container's image replaced, and whether
// that changed anything. Comments and the order of keys stay.
func setImages(template []byte, ref string) (out []byte, changed bool, err error) {
	docs, err := documents(template)
	if err != nil {
		return nil, false, err
	}
	found := 0
	for _, doc := range docs {
		err := eachContainer(doc, func(c *yaml.Node) {
			found++
			img := value(c, "image")
			switch {
			case img == nil:
				changed = true
				c.Content = append(c.Content, scalar("image"), scalar(ref))
			case img.Kind != yaml.ScalarNode || img.Value != ref:
				changed = true
				s := scalar(ref)
				s.HeadComment, s.LineComment, s.FootComment = img.HeadComment, img.LineComment, img.FootComment
				*img = *s
			}
		})
		if err != nil {
			return nil, false, err
		}
	}
	if found == 0 {
		return nil, false, errNoContainers
	}
	if !changed {
		return template, false, nil
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	for _, doc := range docs {
		if err := enc.Encode(doc); err != nil {
			return nil, false, err
		}
	}
	if err := enc.Close(); err != nil {
		return nil, false, err
	}
	return b.Bytes(), true, nil
}

// images lists the image of every container of the template; "" where one has
// none.
func images(template []byte) ([]string, error) {
	docs, err := documents(template)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, doc := range docs {
		err := eachContainer(doc, func(c *yaml.Node) {
			s := ""
			if img := value(c, "image"); img != nil {
				s = img.Value
			}
			list = append(list, s)
		})
		if err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, errNoContainers
	}
	return list, nil
}

var errNoContainers = errors.New(`it has no list "containers" in a mapping "spec": want a pod template (spec.containers), an object with one (spec.template.spec.containers) or a DaskCluster (spec.worker.spec.containers)`)

func documents(template []byte) ([]*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(template))
	var docs []*yaml.Node
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is no YAML: %w", err)
		}
		docs = append(docs, &n)
	}
}

// eachContainer calls f for the items of every list "containers" of a mapping
// "spec", wherever it stands.
func eachContainer(n *yaml.Node, f func(*yaml.Node)) error {
	switch n.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, c := range n.Content {
			if err := eachContainer(c, f); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, val := n.Content[i], n.Content[i+1]
			if key.Value == "spec" && val.Kind == yaml.MappingNode {
				if err := containersOf(val, f); err != nil {
					return err
				}
			}
			if err := eachContainer(val, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func containersOf(spec *yaml.Node, f func(*yaml.Node)) error {
	list := value(spec, "containers")
	if list == nil {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: containers must be a list", list.Line)
	}
	for _, c := range list.Content {
		if c.Kind != yaml.MappingNode {
			// An alias would have its one target changed under other names as well.
			return fmt.Errorf("line %d: a container must be written out as a mapping", c.Line)
		}
		f(c)
	}
	return nil
}

func value(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func scalar(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}
