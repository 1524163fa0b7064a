package kube

// Reasons of a Cause and of a PodError. Those of a NodeError are reasons too.
const (
	ImageNotFound = "ImageNotFound" // the registry has no such image
	ImageDenied   = "ImageDenied"   // the registry refuses to give it
	ImagePull     = "ImagePull"     // it cannot be pulled now
	DiskFull      = "DiskFull"      // a node has no room for it
	CrashLoop     = "CrashLoop"     // it starts and ends again and again
	Exited        = "Exited"        // it ended with another code than zero
	OutOfMemory   = "OutOfMemory"   // killed at its memory limit
	CannotStart   = "CannotStart"   // the container cannot be made or its command not be run
	Unschedulable = "Unschedulable" // no node takes it
	Unscheduled   = "Unscheduled"   // no scheduler has looked at it
	Rejected      = "Rejected"      // admission or a kubelet refuse it
	Quota         = "Quota"         // the namespace's quota is used up
	LimitRange    = "LimitRange"    // it asks for more or less than the namespace allows
	WebhookDown   = "WebhookDown"   // an admission webhook does not answer
	Evicted       = "Evicted"       // a node threw it out, or the scheduler for a pod that matters more
	TimedOut      = "TimedOut"      // its activeDeadlineSeconds ran out
	Gone          = "Gone"          // somebody deleted it
	Finished      = "Finished"      // it ended with code zero while it should run
	Slow          = "Slow"          // no cause known: it was still on its way

	Volume       = "Volume"     // a volume cannot be attached or mounted
	Claim        = "Claim"      // a PersistentVolumeClaim finds no volume
	ProbeFails   = "ProbeFails" // it runs and does not pass its probe
	Sandbox      = "Sandbox"    // its node cannot make the pod's network or sandbox
	NotStarted   = "NotStarted" // its node shows no sign of it, and nothing is known to be wrong with the node
	NotEndingPod = "NotEnding"  // the pod before it does not go away
	NoNode       = "NoNode"     // a DaemonSet that matches no node
	HookFailed   = "HookFailed" // a Job or Pod of a hook failed
	HookWaits    = "HookWaits"  // a Job or Pod of a hook does not end, and nothing is wrong with it
	ScalingUp    = "ScalingUp"  // no node takes it, and an autoscaler brings one
	NoScaleUp    = "NoScaleUp"  // no node takes it, and the autoscaler says that it cannot help
)

// A Cause is why something does not do what it should.
type Cause struct {
	Object    string `json:"object"` // "Pod/hub-7d9", "Node/n1"
	Reason    string `json:"reason"` // one of the constants above, or of a NodeError
	Message   string `json:"cause"`  // one line; quotes the cluster, so untrusted
	Permanent bool   `json:"permanent,omitempty"`
}

// Cause is the error as a cause.
func (e *PodError) Cause() *Cause {
	return &Cause{Object: "Pod/" + e.Pod, Reason: e.Reason, Message: e.Message, Permanent: e.Permanent}
}

// Cause is the error as a cause.
func (e *NodeError) Cause() *Cause {
	return &Cause{Object: "Node/" + e.Node, Reason: e.Reason, Message: e.Message}
}
