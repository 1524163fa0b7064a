package prepull

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PoolLabel is on what a pre-pull makes: the pool that it is for.
const PoolLabel = "gauntlet/prepull"

// neverSet is a variable that no container has. A mount at a path that needs it
// makes a kubelet stop after it has pulled the image and before it makes a container:
// nothing of an image ever runs, so it needs neither a shell nor a command that ends,
// nor any right, and many images of one pod do not wait for each other to end. The
// name is what people read in the event.
const neverSet = "NOTHING_TO_RUN_THE_IMAGE_IS_ONLY_PULLED"

// daemonSet is what pulls the images of a pool on its nodes.
func (p *poolBoard) daemonSet(namespace string, labels map[string]string, secrets []string) *appsv1.DaemonSet {
	no, yes, now, uid := false, true, int64(0), int64(65534)
	own := maps.Clone(labels)
	own[PoolLabel] = p.Name
	var pull []corev1.LocalObjectReference
	for _, s := range secrets {
		pull = append(pull, corev1.LocalObjectReference{Name: s})
	}
	var containers []corev1.Container
	for _, c := range p.containers {
		containers = append(containers, corev1.Container{
			Name: c.name, Image: c.image.Ref, ImagePullPolicy: corev1.PullIfNotPresent,
			Command: []string{"/gauntlet-only-pulls"}, // there is no such program
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &yes, RunAsUser: &uid,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "none", MountPath: "/gauntlet", SubPathExpr: "$(" + neverSet + ")", ReadOnly: true}},
			// Quotas ask for both.
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
			},
		})
	}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: p.set, Namespace: namespace, Labels: own},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: own},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: own},
				Spec: corev1.PodSpec{
					Containers:                    containers,
					NodeSelector:                  p.NodeSelector,
					Affinity:                      p.affinity(),
					Tolerations:                   p.Tolerations,
					ImagePullSecrets:              pull,
					AutomountServiceAccountToken:  &no,
					EnableServiceLinks:            &no,
					TerminationGracePeriodSeconds: &now, // gone at once, also from a node whose kubelet is dead
					SecurityContext: &corev1.PodSecurityContext{
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					Volumes: []corev1.Volume{{Name: "none", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
				},
			},
		},
	}
}
