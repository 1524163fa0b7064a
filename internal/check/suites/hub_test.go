package suites

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

func TestDigestInReferencesAndImageIDs(t *testing.T) {
	d := release.DigestOf([]byte("x"))
	for in, want := range map[string]release.Digest{
		"r:5000/p/notebook@" + string(d):            d,
		"r:5000/p/notebook:v1@" + string(d):         d,
		"docker-pullable://r/notebook@" + string(d): d,
		"r:5000/p/notebook:v1":                      "",
		string(d):                                   "", // of an image's configuration: names no manifest
		"r@sha256:short":                            "",
		"":                                          "",
	} {
		if got := digestIn(in); got != want {
			t.Errorf("%s: got %q", in, got)
		}
	}
}

func TestAPlatformsManifestIsPartOfItsIndexOnly(t *testing.T) {
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer srv.Close()
	index, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	repo := strings.TrimPrefix(srv.URL, "http://") + "/notebook"
	tag, err := name.ParseReference(repo + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	whole, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	ref := repo + ":label@" + whole.String()
	if !platformOf(t.Context(), ref, release.Digest(m.Manifests[1].Digest.String())) {
		t.Error("a part was not found")
	}
	if platformOf(t.Context(), ref, release.DigestOf([]byte("another"))) {
		t.Error("another image is taken for a part")
	}
	if platformOf(t.Context(), repo+"@"+string(release.DigestOf([]byte("none"))), release.Digest(m.Manifests[0].Digest.String())) {
		t.Error("an index that is not there has a part")
	}
}

func TestAHubThatCannotBeAskedIsTheOnlyFailureThatIsNamed(t *testing.T) {
	c := &kube.Client{Context: "here", Interface: fake.NewClientset()}
	s := Hub(HubTarget{Client: c, Namespace: "hub", URL: "http://127.0.0.1:1", APITokenFrom: config.SecretKey{Secret: "s", Key: "k"}})
	r := check.Run(t.Context(), s, nil)
	if r.State != check.Failed || !strings.Contains(r.Outcomes[0].Message, `has no Secret "s"`) {
		t.Errorf("%+v", r.Outcomes[0])
	}
	for _, o := range r.Outcomes[1 : len(r.Outcomes)-1] {
		if o.State != check.Failed || !strings.HasPrefix(o.Message, "not run") {
			t.Errorf("%+v", o)
		}
	}
	if o := r.Outcomes[len(r.Outcomes)-1]; o.State != check.Passed || o.Message != "nothing was made" {
		t.Errorf("%+v", o)
	}
	if len(s.Digest) != 64 {
		t.Errorf("digest %q", s.Digest)
	}
}

func TestClaimsOfOthersAreNoticed(t *testing.T) {
	claim := func(name, user string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "hub", Name: name, Annotations: map[string]string{userKey: user}}}
	}
	p := &probe{name: "probe", t: HubTarget{Namespace: "hub", Client: &kube.Client{Interface: fake.NewClientset(claim("own", "probe"), claim("nfs", ""))}}}
	volume := func(name string) corev1.Volume {
		return corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{volume("own"), volume("nfs"), {}}}}
	if got := p.sharedClaims(t.Context(), pod); len(got) != 1 || got[0] != "nfs" {
		t.Errorf("got %v", got)
	}
}
