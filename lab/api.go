package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// apiClient reads from a cluster's API server as its administrator. The few
// reads of the lab need no client library, which takes a minute to compile.
type apiClient struct {
	server string
	http   *http.Client
}

func (c Cluster) client() (*apiClient, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(c.pki(), "admin.crt"), filepath.Join(c.pki(), "admin.key"))
	if err != nil {
		return nil, fmt.Errorf("read the credentials of cluster %s: %w", c.Name, err)
	}
	ca, err := os.ReadFile(filepath.Join(c.pki(), "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &apiClient{c.Server(), &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool}}}}, nil
}

// get reads the JSON at path into v, or only sees that it answers when v is nil.
func (a *apiClient) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	if v == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// nodesReady returns which nodes the API server knows, and whether each is Ready.
func (a *apiClient) nodesReady(ctx context.Context) (map[string]bool, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.get(ctx, "/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	ready := map[string]bool{}
	for _, n := range list.Items {
		ready[n.Metadata.Name] = false
		for _, c := range n.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				ready[n.Metadata.Name] = true
			}
		}
	}
	return ready, nil
}

// dnsAvailable tells whether names in the cluster resolve.
func (a *apiClient) dnsAvailable(ctx context.Context) (bool, error) {
	var d struct {
		Status struct{ AvailableReplicas int }
	}
	err := a.get(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", &d)
	return d.Status.AvailableReplicas > 0, err
}
