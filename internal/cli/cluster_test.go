package cli_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// A cluster is an API server that keeps the objects it is given and runs nothing.
type cluster struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string]map[string]any // by path
}

func newCluster() *cluster {
	c := &cluster{objects: map[string]map[string]any{}}
	c.Server = httptest.NewServer(c)
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	at := strings.TrimSuffix(r.URL.Path, "/")
	switch r.Method {
	case http.MethodGet:
		if r.URL.Query().Get("watch") != "" {
			refuse(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed)
			return
		}
		switch o, ok := c.objects[at]; {
		case at == "/version":
			_ = json.NewEncoder(w).Encode(map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.2"})
		case ok:
			_ = json.NewEncoder(w).Encode(o)
		case path.Base(at) == "serviceaccounts": // every namespace has the default one
			_ = json.NewEncoder(w).Encode(map[string]any{"kind": "ServiceAccountList", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": "1"},
				"items": []any{map[string]any{"metadata": map[string]any{"name": "default", "resourceVersion": "1"}}}})
		case path.Base(at) == "secrets":
			c.list(w, at, r.URL.Query().Get("labelSelector"), strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"))
		default:
			refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		}
	case http.MethodPost, http.MethodPut:
		o, err := object(r.Body)
		if err != nil {
			refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			return
		}
		if r.Method == http.MethodPost {
			at += "/" + o["metadata"].(map[string]any)["name"].(string)
		}
		c.objects[at] = o
		_ = json.NewEncoder(w).Encode(o)
	default:
		refuse(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed)
	}
}

// object reads an object in any form that clients write.
func object(body io.Reader) (map[string]any, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	o, kind, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	m["apiVersion"], m["kind"] = kind.GroupVersion().String(), kind.Kind
	return m, nil
}

// list gives the Secrets below a path, or their metadata alone.
func (c *cluster) list(w http.ResponseWriter, at, selector string, meta bool) {
	want, err := labels.Parse(selector)
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	list := map[string]any{"kind": "SecretList", "apiVersion": "v1"}
	item := map[string]any{}
	if meta {
		list = map[string]any{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
		item = map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
	}
	items := []any{}
	for p, o := range c.objects {
		has := labels.Set{}
		m := o["metadata"].(map[string]any)
		for k, v := range m["labels"].(map[string]any) {
			has[k] = v.(string)
		}
		if path.Dir(p) == at && want.Matches(has) {
			i := maps.Clone(item)
			i["metadata"] = m
			items = append(items, i)
		}
	}
	list["items"] = items
	_ = json.NewEncoder(w).Encode(list)
}

// put keeps an object as if somebody had written it.
func (c *cluster) put(at string, o map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[at] = o
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: string(reason),
	})
}
