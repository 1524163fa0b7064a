package pair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gauntlet/internal/check"
	"gauntlet/internal/packages"
)

// factsMark begins the line that boot.py prints.
const factsMark = "gauntlet-facts "

// packagesAgree compares what the running Pythons import, which an entrypoint that
// activates an environment may have made another one than the registry tells of.
func (m *match) packagesAgree(ctx context.Context) (string, error) {
	if m.Images.Alignment.Off() {
		return "", check.Warning{Message: "images.alignment ignores every package: nothing was compared"}
	}
	notebook, err := m.facts(ctx, m.notebook)
	if err != nil {
		return "", fmt.Errorf("notebook: %w", err)
	}
	worker, err := m.facts(ctx, m.workers[0])
	if err != nil {
		return "", fmt.Errorf("worker: %w", err)
	}
	return compare(notebook, worker, m.Images.Alignment)
}

// facts reads the line that a pod's boot script printed.
func (m *match) facts(ctx context.Context, pod string) (packages.Environment, error) {
	line, err := m.Client.FindLog(ctx, m.bench.Namespace, pod, "", factsMark)
	if err != nil {
		return packages.Environment{}, err
	}
	return parseFacts(line)
}

func parseFacts(line string) (packages.Environment, error) {
	var told struct {
		Python   string            `json:"python"`   // "3.11.2"
		Packages map[string]string `json:"packages"` // normalised name to version
	}
	if err := json.Unmarshal([]byte(line), &told); err != nil {
		return packages.Environment{}, fmt.Errorf("read what the image holds: %w", err)
	}
	if told.Python == "" || len(told.Packages) == 0 {
		return packages.Environment{}, errors.New("the image told no Python version or no packages")
	}
	return packages.Environment{Kind: packages.Python, Python: told.Python, Packages: told.Packages}, nil
}
