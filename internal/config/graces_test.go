package config

import (
	"strings"
	"testing"
	"time"
)

func TestGracesHaveDefaultsAndMayBeChangedOneByOne(t *testing.T) {
	p, err := ParsePlatform("gauntlet.yaml", []byte(goodPlatform))
	if err != nil {
		t.Fatal(err)
	}
	g := p.Graces.OrDefault()
	if g.Unschedulable != 15*time.Minute || g.Settle != 3*time.Second || g.ImagePull != 5*time.Minute || g.Probe != g.Timeout {
		t.Errorf("%+v", g)
	}
	if g := (Graces{Timeout: time.Hour}).OrDefault(); g.Probe != time.Hour {
		t.Errorf("a failing probe is waited for %s", g.Probe)
	}
}

func TestGracesThatEndAWaitAtOnceAreRefused(t *testing.T) {
	for _, bad := range []string{"quota: 0s", "node: 10ms", "quota: soon", "imagepull: 5m", "quota: -5s"} {
		doc := strings.Replace(goodPlatform, "graces: {unschedulable: 15m, settle: 3s}", "graces: {"+bad+"}", 1)
		if _, err := ParsePlatform("gauntlet.yaml", []byte(doc)); err == nil || !strings.Contains(err.Error(), "graces") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
