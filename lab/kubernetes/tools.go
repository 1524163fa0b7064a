//go:build tools

// Package kubernetes pins the programs the lab runs: upstream Kubernetes, its
// etcd and the provisioner of its volumes. Nothing imports it; it exists so that
// one go.mod decides every version and the build cache stays warm.
package kubernetes

import (
	_ "github.com/rancher/local-path-provisioner"
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
