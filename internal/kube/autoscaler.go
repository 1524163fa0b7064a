package kube

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// An Autoscaler is what the cluster autoscaler says of itself in the ConfigMap
// cluster-autoscaler-status of kube-system.
type Autoscaler struct {
	Said   time.Time // when; zero when it does not say so
	Health string    // "Healthy"
	Adding bool      // it brings nodes now
	Groups []NodeGroup
}

// A NodeGroup is a group of nodes that the autoscaler may grow.
type NodeGroup struct {
	Name                string
	Target, Least, Most int
	Trouble             string // why it cannot grow now: "Backoff: out of quota"; "" when it can
}

// Full says that a group has as many nodes as it may.
func (g NodeGroup) Full() bool { return g.Most > 0 && g.Target >= g.Most }

// Works says that the autoscaler has said something in the last three minutes.
func (a *Autoscaler) Works(now time.Time) bool {
	return a != nil && (a.Said.IsZero() || now.Sub(a.Said) < 3*time.Minute)
}

// ReadAutoscaler reads the status: the YAML that the autoscaler writes since the end
// of 2023, or the text of before.
func ReadAutoscaler(status string) (*Autoscaler, error) {
	if strings.HasPrefix(strings.TrimSpace(status), "Cluster-autoscaler status at") {
		return readOldStatus(status), nil
	}
	type scale struct {
		Status      string `json:"status"`
		BackoffInfo struct {
			ErrorCode    string `json:"errorCode"`
			ErrorMessage string `json:"errorMessage"`
		} `json:"backoffInfo"`
	}
	var s struct {
		Time             string `json:"time"`
		AutoscalerStatus string `json:"autoscalerStatus"`
		ClusterWide      struct {
			Health struct {
				Status string `json:"status"`
			} `json:"health"`
			ScaleUp scale `json:"scaleUp"`
		} `json:"clusterWide"`
		NodeGroups []struct {
			Name   string `json:"name"`
			Health struct {
				Status              string `json:"status"`
				CloudProviderTarget int    `json:"cloudProviderTarget"`
				MinSize             int    `json:"minSize"`
				MaxSize             int    `json:"maxSize"`
			} `json:"health"`
			ScaleUp scale `json:"scaleUp"`
		} `json:"nodeGroups"`
	}
	if err := yaml.Unmarshal([]byte(status), &s); err != nil {
		return nil, fmt.Errorf("read the cluster autoscaler's status: %w", err)
	}
	if s.AutoscalerStatus == "" && s.ClusterWide.Health.Status == "" {
		return nil, fmt.Errorf("read the cluster autoscaler's status: it has an unknown form")
	}
	a := &Autoscaler{Said: goTime(s.Time), Health: cmp.Or(s.ClusterWide.Health.Status, s.AutoscalerStatus), Adding: s.ClusterWide.ScaleUp.Status == "InProgress"}
	for _, g := range s.NodeGroups {
		n := NodeGroup{Name: g.Name, Target: g.Health.CloudProviderTarget, Least: g.Health.MinSize, Most: g.Health.MaxSize}
		switch {
		case g.ScaleUp.Status == "Backoff":
			n.Trouble = OneLine(strings.TrimRight("Backoff: "+g.ScaleUp.BackoffInfo.ErrorCode+" "+g.ScaleUp.BackoffInfo.ErrorMessage, " :"))
		case g.Health.Status == "Unhealthy":
			n.Trouble = g.Health.Status
		}
		a.Groups = append(a.Groups, n)
	}
	return a, nil
}

// goTime reads a time as Go prints it, "2023-11-24 04:28:19.546750398 +0000 UTC".
func goTime(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", s)
	if err != nil {
		return time.Time{}
	}
	return t
}

var (
	oldField = regexp.MustCompile(`^\s*(Name|Health|ScaleUp):\s+(\S+)(.*)$`)
	oldCount = regexp.MustCompile(`(cloudProviderTarget|minSize|maxSize)=(\d{1,9})`)
)

// readOldStatus reads the text form.
func readOldStatus(status string) *Autoscaler {
	a := &Autoscaler{}
	inGroups := false
	for line := range strings.Lines(status) {
		line = strings.TrimRight(line, "\r\n")
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "Cluster-autoscaler status at "); ok {
			a.Said = goTime(strings.TrimSuffix(at, ":"))
		}
		if strings.HasPrefix(strings.TrimSpace(line), "NodeGroups:") {
			inGroups = true
		}
		m := oldField.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if !inGroups {
			switch m[1] {
			case "Health":
				a.Health = m[2]
			case "ScaleUp":
				a.Adding = m[2] == "InProgress"
			}
			continue
		}
		if m[1] == "Name" {
			a.Groups = append(a.Groups, NodeGroup{Name: m[2]})
			continue
		}
		if len(a.Groups) == 0 {
			continue
		}
		g := &a.Groups[len(a.Groups)-1]
		if m[1] == "ScaleUp" {
			if m[2] == "Backoff" {
				g.Trouble = m[2]
			}
			continue
		}
		if m[2] == "Unhealthy" {
			g.Trouble = m[2]
		}
		for _, c := range oldCount.FindAllStringSubmatch(m[3], -1) {
			n, err := strconv.Atoi(c[2])
			if err != nil {
				continue
			}
			switch c[1] {
			case "cloudProviderTarget":
				g.Target = n
			case "minSize":
				g.Least = n
			case "maxSize":
				g.Most = n
			}
		}
	}
	return a
}

// Autoscaler reads the cluster autoscaler's status. An error says that there is none,
// that this user may not read it, or that it has another form.
func (c *Client) Autoscaler(ctx context.Context) (*Autoscaler, error) {
	m, err := c.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "cluster-autoscaler-status", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the cluster autoscaler's status: %w", err)
	}
	return ReadAutoscaler(m.Data["status"])
}

// String says what the autoscaler does and which groups cannot grow.
func (a *Autoscaler) String() string {
	s := "the cluster autoscaler"
	switch {
	case a.Adding:
		s += " brings nodes"
	case a.Health == "":
		s += " works"
	default:
		s += " is " + strings.ToLower(a.Health) + " and brings no nodes"
	}
	var troubles []string
	for _, g := range a.Groups {
		switch {
		case g.Trouble != "":
			troubles = append(troubles, fmt.Sprintf("group %s: %s", g.Name, g.Trouble))
		case g.Full():
			troubles = append(troubles, fmt.Sprintf("group %s has all of its %d nodes", g.Name, g.Most))
		}
	}
	if len(troubles) > 0 {
		s += " (" + strings.Join(troubles, "; ") + ")"
	}
	return OneLine(s)
}
