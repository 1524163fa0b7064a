package kube

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// claimPatience is how long a storage driver may take before its silence is told.
const claimPatience = 15 * time.Second

// ClaimCause says why a PersistentVolumeClaim has no volume, by its status and its
// events (the oldest first); nil when it has one, or when it only waits for a pod to
// be given a node, which is the ordinary course. now is the time by the API server.
func ClaimCause(claim *corev1.PersistentVolumeClaim, events []*corev1.Event, now time.Time) *Cause {
	fail := func(permanent bool, words string) *Cause {
		return &Cause{Object: "PersistentVolumeClaim/" + claim.Name, Reason: Claim, Permanent: permanent, Message: OneLine(words)}
	}
	switch claim.Status.Phase {
	case corev1.ClaimBound:
		return nil
	case corev1.ClaimLost:
		return fail(true, "its volume "+claim.Spec.VolumeName+" does not exist any more")
	}
	class := "the default storage class"
	if c := claim.Spec.StorageClassName; c != nil {
		class = "storage class " + *c
		if *c == "" {
			class = "no storage class"
		}
	}
	var c *Cause
	for _, e := range events {
		switch e.Reason {
		case "FailedBinding", "VolumeMismatch":
			c = fail(false, "it cannot be bound ("+class+"): "+e.Message)
		case "ProvisioningFailed":
			words := "no volume can be made (" + class + "): " + e.Message
			if strings.Contains(e.Message, "storageclass") && strings.Contains(e.Message, "not found") {
				words = class + " does not exist"
			}
			c = fail(false, words)
		case "ExternalProvisioning":
			if now.Sub(claim.CreationTimestamp.Time) > claimPatience {
				c = fail(false, "its storage driver has not made it ("+class+"): "+e.Message)
			}
		case "WaitForFirstConsumer", "WaitForPodScheduled", "Provisioning", "ProvisioningSucceeded":
			c = nil
		}
	}
	return c
}

// claimsOf are the names of the claims that a pod mounts.
func claimsOf(pod *corev1.Pod) []string {
	var names []string
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			names = append(names, pod.Name+"-"+v.Name)
		}
	}
	return names
}
