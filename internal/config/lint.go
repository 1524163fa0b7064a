package config

import (
	"go.yaml.in/yaml/v3"

	"gauntlet/internal/lint"
	"gauntlet/internal/preflight/codes"
)

// LintValues looks in a values file for secrets in plain text and for keys that the
// chart does not know; keys may be nil. All of them are warnings, see Weigh. A file
// that cannot be read gives none: CheckValues says so.
func LintValues(file string, data []byte, keys *lint.Keys) Problems {
	d := newDocument(file)
	roots, err := documents(data)
	if err != nil {
		return nil
	}
	for _, r := range roots {
		d.lintSecrets(r, nil, "")
		d.lintKeys(r, keys, "")
	}
	for i := range d.problems {
		d.problems[i].Warning = true
	}
	d.problems.sort()
	return d.problems
}

func (d *document) lintSecrets(n *yaml.Node, keys []string, field string) {
	switch n.Kind {
	case yaml.SequenceNode:
		for i, x := range n.Content {
			d.lintSecrets(x, keys, item(field, i))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i].Value
			d.lintSecrets(n.Content[i+1], append(keys[:len(keys):len(keys)], k), child(field, k))
		}
	case yaml.ScalarNode:
		if n.ShortTag() != "!!str" {
			return
		}
		if cause := lint.Secret(keys, n.Value); cause != "" {
			d.coded(codes.SecretPlain, n, field, cause, lint.SecretFix)
		}
	}
}

func (d *document) lintKeys(n *yaml.Node, known *lint.Keys, field string) {
	if known == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" || v.ShortTag() == "!!null" {
			continue
		}
		sub, cause, fix := known.Under(k.Value)
		if cause != "" {
			d.coded(codes.KeyUnknown, k, child(field, k.Value), cause, fix)
		}
		d.lintKeys(v, sub, child(field, k.Value))
	}
}

func (d *document) coded(code string, at *yaml.Node, field, cause, fix string) {
	d.add(markOf(at), field, cause, fix)
	d.problems[len(d.problems)-1].Code = code
}

// Weigh gives problems that have a code the severity that gauntlet.yaml asks for.
func (ps Problems) Weigh(severities map[string]codes.Severity) Problems {
	var out Problems
	for _, p := range ps {
		switch severities[p.Code] {
		case codes.Off:
			continue
		case codes.Error:
			p.Warning = false
		case codes.Warning:
			p.Warning = true
		}
		out = append(out, p)
	}
	return out
}
