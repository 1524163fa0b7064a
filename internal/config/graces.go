package config

import (
	"fmt"
	"reflect"
	"time"
)

// Graces are how long causes that may pass by themselves are waited for before a
// deployment is given up. A cause is told at once, whatever its grace; permanent
// ones (no such image, refused by admission) have none. Zero stands for the default.
type Graces struct {
	ImagePull     time.Duration `yaml:"imagePull"`     // a registry that is away or answers 503; default 5m
	DiskFull      time.Duration `yaml:"diskFull"`      // a node that makes room for an image; default 2m
	Start         time.Duration `yaml:"start"`         // a container that cannot be made: a Secret that comes later, a runtime under load; default 1m
	Restart       time.Duration `yaml:"restart"`       // a container that ends once or twice, a pod that is thrown out; default 2m
	Unschedulable time.Duration `yaml:"unschedulable"` // no node takes a pod, and nobody says whether one comes; default 5m
	ScaleUp       time.Duration `yaml:"scaleUp"`       // an autoscaler brings a node; default 10m
	NoScaleUp     time.Duration `yaml:"noScaleUp"`     // the autoscaler says that it cannot help; default 1m
	Quota         time.Duration `yaml:"quota"`         // old pods that still count; default 15s
	Webhook       time.Duration `yaml:"webhook"`       // an admission webhook that does not answer; default 2m
	Volume        time.Duration `yaml:"volume"`        // a volume that cannot be attached or mounted; default 7m
	Claim         time.Duration `yaml:"claim"`         // a claim that finds no volume; default 2m
	Node          time.Duration `yaml:"node"`          // a node that is away or shows no sign of its pod; default 7m
	Probe         time.Duration `yaml:"probe"`         // a container that runs and fails its probe; default as timeout
	Settle        time.Duration `yaml:"settle"`        // how long a new container without a readiness probe must run; default 10s
	Timeout       time.Duration `yaml:"timeout"`       // the longest that a hook, and that the rollout, may take; default 10m
}

// defaultGraces let pass by what passes by itself in the field: an autoscaler's node
// takes minutes, a dead node's pods are given to others after five and a half, and a
// volume is torn from it after six.
var defaultGraces = Graces{
	ImagePull: 5 * time.Minute, DiskFull: 2 * time.Minute, Start: time.Minute, Restart: 2 * time.Minute,
	Unschedulable: 5 * time.Minute, ScaleUp: 10 * time.Minute, NoScaleUp: time.Minute,
	Quota: 15 * time.Second, Webhook: 2 * time.Minute,
	Volume: 7 * time.Minute, Claim: 2 * time.Minute, Node: 7 * time.Minute,
	Settle: 10 * time.Second, Timeout: 10 * time.Minute,
}

// OrDefault is g with the defaults where it has no value.
func (g Graces) OrDefault() Graces {
	v, d := reflect.ValueOf(&g).Elem(), reflect.ValueOf(defaultGraces)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			v.Field(i).Set(d.Field(i))
		}
	}
	if g.Probe == 0 {
		g.Probe = g.Timeout
	}
	return g
}

// checkGraces reports times that would end a wait before it has begun.
func (d *document) checkGraces(g Graces) {
	v := reflect.ValueOf(g)
	for _, key := range keysOf(v.Type()) {
		field := child("graces", key)
		if _, written := d.at[field]; !written || d.reported(field) {
			continue
		}
		for i := range v.NumField() {
			if t := time.Duration(v.Field(i).Int()); v.Type().Field(i).Tag.Get("yaml") == key && t < time.Second {
				d.bad(field, fmt.Sprintf("%s is no time to wait", t), "write at least 1s, or take it out for the default")
			}
		}
	}
}
