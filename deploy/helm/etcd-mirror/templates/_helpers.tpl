{{- define "etcd-mirror.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Of everything that the release has. */}}
{{- define "etcd-mirror.fullname" -}}
{{- $name := include "etcd-mirror.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- $full = .Values.fullnameOverride | default (printf "%s-operator" ($full | trunc 46 | trimSuffix "-")) }}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $full) }}
{{- fail (printf "%s cannot be the name of a Service, which begins with a letter and has no dots: set fullnameOverride" $full) }}
{{- end }}
{{- $full }}
{{- end }}

{{- define "etcd-mirror.selector" -}}
app.kubernetes.io/name: {{ include "etcd-mirror.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "etcd-mirror.labels" -}}
{{ include "etcd-mirror.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "etcd-mirror.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "etcd-mirror.fullname" .) }}
{{- end }}

{{- define "etcd-mirror.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The shutdown grace, and 20 s to let the Lease and the connections go. */}}
{{- define "etcd-mirror.terminationSeconds" -}}
{{- $seconds := 20 }}
{{- $units := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 }}
{{- range regexFindAll "[0-9.]+[a-z]+" .Values.shutdownGrace -1 }}
{{- $unit := regexFind "[a-z]+" . }}
{{- $seconds = addf $seconds (mulf (trimSuffix $unit .) (get $units $unit)) }}
{{- end }}
{{- ceil $seconds }}
{{- end }}

{{- /* Together with the next one what PodSecurity calls restricted. The image says which user. */}}
{{- define "etcd-mirror.podSecurityContext" -}}
runAsNonRoot: true
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "etcd-mirror.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* The rules for Secrets that connections name; `right` is one of _rights.tpl. */}}
{{- define "etcd-mirror.credentialRules" -}}
{{- $rules := include .right .root | fromYamlArray }}
{{- with .root.Values.credentials.secretNames }}
{{- range $rules }}{{ $_ := set . "resourceNames" $.root.Values.credentials.secretNames }}{{ end }}
{{- end }}
{{- toYaml $rules }}
{{- end }}

{{- /* What the operator may do in every namespace that it serves. */}}
{{- define "etcd-mirror.servedRules" -}}
{{- $targets := .Values.targets }}
{{- include "etcd-mirror.rights.mirrors" . }}
{{- if or $targets.configMap $targets.files $targets.etcdKeys $targets.objects }}
{{ include "etcd-mirror.rights.configMaps" . }}
{{- end }}
{{- if $targets.secret }}
{{ include "etcd-mirror.rights.secretTargets" . }}
{{- end }}
{{- if $targets.etcdKeys }}
{{ include "etcd-mirror.rights.etcdKeys" . }}
{{- end }}
{{- range $targets.objects }}
{{- $parts := splitList "/" .kind }}
- apiGroups: [{{ (len $parts | eq 3 | ternary (first $parts) "") | quote }}]
  resources: [{{ .resource }}]
  verbs: [{{ include "etcd-mirror.rights.objectVerbs" $ }}]
{{- end }}
{{- if .Values.credentials.enabled }}
{{ include "etcd-mirror.credentialRules" (dict "right" "etcd-mirror.rights.connectionSecrets" "root" .) }}
{{- end }}
{{- end }}

{{- /* A role and its binding to the operator, of the whole cluster without a `namespace`; `rules` is YAML. */}}
{{- define "etcd-mirror.role" }}
{{- $kind := empty .namespace | ternary "ClusterRole" "Role" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "etcd-mirror.roleMetadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- include "etcd-mirror.roleMetadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "etcd-mirror.serviceAccount" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "etcd-mirror.roleMetadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "etcd-mirror.labels" .root | nindent 2 }}
{{- end }}
