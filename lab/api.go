package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// apiClient talks to a cluster's API server as its administrator. The few calls
// of the lab need no client library, which takes a minute to compile.
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

// errNotFound and errExists are the answers 404 and 409 of an API server.
var (
	errNotFound = errors.New("there is no such object")
	errExists   = errors.New("there is such an object already, or it was changed meanwhile")
)

// get reads the JSON at path into v, or only sees that it answers when v is nil.
func (a *apiClient) get(ctx context.Context, path string, v any) error {
	return a.call(ctx, http.MethodGet, path, nil, v)
}

// create, patch (with a JSON merge patch) and removeIfThere change what is at path.
func (a *apiClient) create(ctx context.Context, path string, object any) error {
	return a.call(ctx, http.MethodPost, path, object, nil)
}

func (a *apiClient) patch(ctx context.Context, path string, patch any) error {
	return a.call(ctx, http.MethodPatch, path, patch, nil)
}

func (a *apiClient) removeIfThere(ctx context.Context, path string) error {
	err := a.call(ctx, http.MethodDelete, path, nil, nil)
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

// call sends in as JSON, if it is not nil, and reads the answer into out.
func (a *apiClient) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.server+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %w", method, path, answer(resp))
	}
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// answer is what the API server says to a call it refuses.
func answer(resp *http.Response) error {
	var status struct{ Message string }
	_ = json.NewDecoder(resp.Body).Decode(&status) // then the code has to do
	err := errors.New(resp.Status)
	switch resp.StatusCode {
	case http.StatusNotFound:
		err = errNotFound
	case http.StatusConflict:
		err = errExists
	}
	if status.Message == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, status.Message)
}

// nodeState is what the lab looks at of a node.
type nodeState struct {
	name      string
	labels    map[string]string
	ready     bool
	simulated bool
}

// nodes returns the nodes the API server knows.
func (a *apiClient) nodes(ctx context.Context) ([]nodeState, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.get(ctx, "/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	var nodes []nodeState
	for _, n := range list.Items {
		s := nodeState{name: n.Metadata.Name, labels: n.Metadata.Labels, simulated: n.Metadata.Labels[SimulatedKey] != ""}
		for _, c := range n.Status.Conditions {
			s.ready = s.ready || c.Type == "Ready" && c.Status == "True"
		}
		nodes = append(nodes, s)
	}
	return nodes, nil
}

// nodesReady returns which nodes the API server knows, and whether each is Ready.
func (a *apiClient) nodesReady(ctx context.Context) (map[string]bool, error) {
	nodes, err := a.nodes(ctx)
	ready := map[string]bool{}
	for _, n := range nodes {
		ready[n.name] = n.ready
	}
	return ready, err
}

// dnsAvailable tells whether names in the cluster resolve.
func (a *apiClient) dnsAvailable(ctx context.Context) (bool, error) {
	var d struct {
		Status struct{ AvailableReplicas int }
	}
	err := a.get(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", &d)
	return d.Status.AvailableReplicas > 0, err
}

// withClient calls do with a client of the named cluster.
func withClient(cluster string, do func(*apiClient) error) error {
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	return do(client)
}
