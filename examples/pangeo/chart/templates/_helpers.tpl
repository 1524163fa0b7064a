{{/* Labels that select: of one component of one release. Call with (dict "root" $ "component" "hub"). */}}
{{- define "pangeo-hub.selector" -}}
app: jupyterhub
release: {{ .root.Release.Name }}
component: {{ .component }}
{{- end }}

{{- define "pangeo-hub.labels" -}}
{{ include "pangeo-hub.selector" . }}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* NAME:TAG, where TAG may carry a digest ("v1@sha256:..."). Call with an image's values. */}}
{{- define "pangeo-hub.image" -}}
{{ .name }}:{{ .tag }}
{{- end }}

{{/* Annotations of a resource that exists only around the image hook. */}}
{{- define "pangeo-hub.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* What no container here needs: root, capabilities, more privileges. */}}
{{- define "pangeo-hub.securityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}
