package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/lab"
)

// demandTeam lets the cluster refuse, by a webhook of ours and in the hub's namespace
// only, pods of a component that bear no label `team`.
func (l *line) demandTeam(component string) {
	l.t.Helper()
	server, ca := refusing(l.t, func(p *corev1.Pod) string {
		if p.Labels["component"] == component && p.Labels["team"] == "" {
			return "every pod needs a label team: whom do we call?"
		}
		return ""
	})
	fail, none := admissionregv1.Fail, admissionregv1.SideEffectClassNone
	hooks := l.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := hooks.Create(l.t.Context(), &admissionregv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: l.name},
		Webhooks: []admissionregv1.ValidatingWebhook{{
			Name:          "teams.pangeo.example",
			ClientConfig:  admissionregv1.WebhookClientConfig{URL: &server, CABundle: ca},
			FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: l.name}},
			Rules: []admissionregv1.RuleWithOperations{{
				Operations: []admissionregv1.OperationType{admissionregv1.Create},
				Rule:       admissionregv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.undo(func() { l.kubectlAfter(lab.BleedingEdge, "delete", "validatingwebhookconfiguration", l.name) })
}

// refusing serves an admission webhook that refuses a pod for the reason that refuse
// gives, and returns its address and the certificate to trust.
func refusing(t *testing.T, refuse func(*corev1.Pod) string) (url string, ca []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", lab.HostIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	cert, ca := selfSigned(t, net.ParseIP(lab.HostIP))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		var pod corev1.Pod
		if json.NewDecoder(r.Body).Decode(&review) != nil || review.Request == nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
			http.Error(w, "no review of a pod", http.StatusBadRequest)
			return
		}
		why := refuse(&pod)
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: why == ""}
		if why != "" {
			review.Response.Result = &metav1.Status{Message: why, Code: http.StatusForbidden}
		}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	}))
	_ = s.Listener.Close()
	s.Listener = listener
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL + "/pods", ca
}

// selfSigned is a certificate for an address, and itself as PEM for whoever trusts it.
func selfSigned(t *testing.T, ip net.IP) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
