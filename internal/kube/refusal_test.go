package kube

import "testing"

func TestRefusalsAreToldByWhoRefuses(t *testing.T) {
	for message, tt := range map[string]struct {
		reason    string
		permanent bool
	}{
		`admission webhook "policy.example.org" denied the request: images must come from registry.example.org`:                              {Rejected, true},
		`Internal error occurred: failed calling webhook "policy.example.org": failed to call webhook: Post "https://x": connection refused`: {WebhookDown, false},
		`pods "hub-1" is forbidden: exceeded quota: team, requested: requests.cpu=2, used: requests.cpu=9, limited: requests.cpu=10`:         {Quota, false},
		`pods "hub-1" is forbidden: failed quota: team: must specify limits.cpu for: hub`:                                                    {Quota, false},
		`pods "hub-1" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, minimum memory usage per Pod is 1Gi]`:             {LimitRange, true},
		`pods "hub-1" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 10`:                             {LimitRange, true},
		`pods "hub-1" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`:                             {Rejected, true},
		`Deployment.apps "hub" is invalid: spec.replicas: Invalid value: -1`:                                                                 {Rejected, true},
		`dial tcp 10.0.0.1:6443: connect: connection refused`:                                                                                {"", false},
		`Operation cannot be fulfilled on deployments.apps "hub": the object has been modified`:                                              {"", false},
	} {
		got := Refusal("Deployment/hub", message)
		if tt.reason == "" && got != nil || tt.reason != "" && (got == nil || got.Reason != tt.reason || got.Permanent != tt.permanent) {
			t.Errorf("%s: %+v", message, got)
		}
	}
}
