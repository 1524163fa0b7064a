package preflight

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReferencesAreAllImagesOfARelease(t *testing.T) {
	f := &Facts{
		Objects: objects(t, `{kind: Deployment, metadata: {name: hub}, spec: {template: {spec: {serviceAccountName: hub, imagePullSecrets: [{name: s}], initContainers: [{image: init:1}], containers: [{image: hub:1}]}}}}
---
{kind: CronJob, metadata: {name: cron}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: cron:1}]}}}}}}
---
{kind: DaskCluster, metadata: {name: dask}, spec: {worker: {spec: {containers: [{image: worker:1}]}}}}
---
{kind: CustomResourceDefinition, metadata: {name: crd}, spec: {containers: [{image: example:1}]}}
`),
		Hooks: []map[string]any{
			tree(t, "{kind: Job, metadata: {name: await}, spec: {template: {spec: {containers: [{image: await:1}]}}}}"),
			tree(t, "{kind: Secret, metadata: {name: my-image-pull-secret}, type: kubernetes.io/dockerconfigjson, data: {}}"),
		},
		Values: tree(t, `
jupyterhub:
  hub: {}
  imagePullSecrets: [a, {name: b}]
  imagePullSecret: {create: true}
  prePuller: {hook: {enabled: true}, extraImages: {more: {name: more, tag: "1"}}}
  singleuser:
    image: {name: r.example.org/notebook, tag: "1@sha256:00", pullSecrets: [c]}
    cloudMetadata: {blockWithIptables: true}
    networkTools: {image: {name: tools, tag: "1"}}
    initContainers: [{image: home:1}]
    extraContainers: {side: {image: side:1}}
    profileList:
    - {kubespawner_override: {image: gpu:1}}
    - {kubespawner_override: {cpu: 1}}
    - profile_options:
        image:
          unlisted_choice: {enabled: true, kubespawner_override: {image: "{value}"}}
          choices: {r: {kubespawner_override: {image: rstudio:1}}, big: {kubespawner_override: {mem: 1}}}
dask-gateway:
  gateway:
    backend: {image: {name: gateway-worker, tag: "2"}}
    extraConfig: {options: 'return Options(String("image", default="dask:3", label="Image"))'}
`),
	}
	got := map[string]string{}
	for _, r := range References(f) {
		got[r.Image] = r.User
	}
	want := map[string]string{
		"init:1": "Deployment/hub", "hub:1": "Deployment/hub", "cron:1": "CronJob/cron", "worker:1": "DaskCluster/dask", "await:1": "Job/await",
		"r.example.org/notebook:1@sha256:00": "jupyterhub.singleuser.image", "tools:1": "jupyterhub.singleuser.networkTools.image",
		"home:1": "jupyterhub.singleuser.initContainers[0]", "side:1": "jupyterhub.singleuser.extraContainers.side",
		"more:1": "jupyterhub.prePuller.extraImages.more", "gpu:1": "jupyterhub.singleuser.profileList[0]",
		"rstudio:1":        "jupyterhub.singleuser.profileList[2].profile_options.image.choices.r",
		"gateway-worker:2": "dask-gateway.gateway.backend.image", "dask:3": "dask-gateway.gateway.extraConfig.options",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, r := range References(f) {
		switch r.Image {
		case "hub:1":
			if r.Account != "hub" || !cmp.Equal(r.Secrets, []string{"s"}) {
				t.Errorf("%+v", r)
			}
		case "gpu:1":
			if !cmp.Equal(r.Secrets, []string{"a", "b", "c", "my-image-pull-secret"}) {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestImages(t *testing.T) {
	image := func(i Image) Image {
		i.Ref, i.Users, i.Why = "r.example.org/x:1", []string{"Deployment/hub"}, "it answers 401 Unauthorized"
		return i
	}
	const refuses = "r.example.org/x:1: its registry "
	for name, c := range map[string]struct {
		image Image
		nodes []corev1.Node
		want  string
	}{
		"found":       {image: Image{State: Found}},
		"not there":   {image: Image{State: NotFound}, want: "error image-missing " + refuses + "has no image of this name, for Deployment/hub"},
		"unreadable":  {image: Image{State: Invalid}, want: "error image-invalid r.example.org/x:1: it answers 401 Unauthorized, for Deployment/hub"},
		"unreachable": {image: Image{State: Unreachable}, want: "warning image-unreachable " + refuses + "cannot be asked from here, for Deployment/hub: it answers 401 Unauthorized"},
		"credentials that do not do": {image: Image{State: Denied, Credentials: true},
			want: "error image-denied " + refuses + "refuses the hub's pull secrets, or has no such image, for Deployment/hub: it answers 401 Unauthorized"},
		"no credentials": {image: Image{State: Denied},
			want: "error image-denied " + refuses + "gives it to nobody without credentials, or has no such image, and the hub has no pull secret for it, for Deployment/hub: it answers 401 Unauthorized"},
		"a cloud's own": {image: Image{State: Denied, Cloud: true},
			want: "warning image-unreachable " + refuses + "refuses whoever asks from here, for Deployment/hub; the nodes may have credentials of their own"},
		"a node has it": {image: Image{State: Denied}, nodes: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Images: []corev1.ContainerImage{{Names: []string{"r.example.org/x:1"}}}}}},
			want: "warning image-unreachable " + refuses + "refuses whoever asks from here, for Deployment/hub; node n has it, so nodes may have credentials of their own"},
	} {
		t.Run(name, func(t *testing.T) {
			says(t, &Facts{Images: []Image{image(c.image)}, Nodes: c.nodes}, c.want)
		})
	}
	says(t, &Facts{Namespace: "ns", Missing: []string{"pull"}}, "warning pull-secret Secret/pull: pods of the release pull images with it, and namespace ns has none that holds credentials")
}

func TestAChoiceOfAnyImageIsTold(t *testing.T) {
	values := `
hub: {}
singleuser: {profileList: [{profile_options: {
  image: {unlisted_choice: {enabled: %, kubespawner_override: {image: "{value}"}}},
  size: {unlisted_choice: {enabled: true, kubespawner_override: {mem: "{value}"}}}}}]}`
	says(t, z2jhOf(t, "4.0.0", "4.2.0", strings.Replace(values, "%", "false", 1)), "")
	says(t, z2jhOf(t, "4.0.0", "4.2.0", strings.Replace(values, "%", "true", 1)),
		"warning choice-unlisted value singleuser.profileList[0].profile_options.image: users may type any image here: whether it exists is seen only when their server starts")
}
