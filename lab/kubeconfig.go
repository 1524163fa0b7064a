package lab

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kubeconfigEntry is one cluster as one user sees it; file names the user's
// certificate in the cluster's pki folder.
type kubeconfigEntry struct {
	cluster Cluster
	file    string
}

// writeKubeconfig writes a self-contained kubeconfig, at once: a reader never
// sees half of it. The first entry is the current context.
func writeKubeconfig(path string, entries ...kubeconfigEntry) error {
	var clusters, users, contexts strings.Builder
	for _, e := range entries {
		ca, err := base64File(e.cluster, "ca.crt")
		if err != nil {
			return err
		}
		cert, err := base64File(e.cluster, e.file+".crt")
		if err != nil {
			return err
		}
		key, err := base64File(e.cluster, e.file+".key")
		if err != nil {
			return err
		}
		name := e.cluster.Name
		fmt.Fprintf(&clusters, "- name: %s\n  cluster:\n    server: %s\n    certificate-authority-data: %s\n", name, e.cluster.Server(), ca)
		fmt.Fprintf(&users, "- name: %s\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n", name, cert, key)
		fmt.Fprintf(&contexts, "- name: %s\n  context: {cluster: %s, user: %s}\n", name, name, name)
	}
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n%susers:\n%scontexts:\n%scurrent-context: %s\n",
		&clusters, &users, &contexts, entries[0].cluster.Name)
	return writeFileAtomic(path, []byte(text), 0o600)
}

// writeUserKubeconfig writes Kubeconfig with a context for every cluster that
// has certificates.
func writeUserKubeconfig() error {
	var entries []kubeconfigEntry
	for _, c := range Clusters() {
		if _, err := os.Stat(filepath.Join(c.pki(), "admin.crt")); err == nil {
			entries = append(entries, kubeconfigEntry{c, "admin"})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return writeKubeconfig(Kubeconfig(), entries...)
}

func base64File(c Cluster, name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(c.pki(), name))
	if err != nil {
		return "", fmt.Errorf("read a certificate of cluster %s: %w", c.Name, err)
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

// writeFileAtomic replaces a file at once. Several may write the same one.
func writeFileAtomic(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, writeErr := f.Write(data)
	if err := errors.Join(writeErr, f.Chmod(mode), f.Close()); err != nil {
		os.Remove(f.Name())
		return err
	}
	return os.Rename(f.Name(), path)
}
