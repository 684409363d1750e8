{{- define "podreduce.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-wide objects carry the release's namespace: two releases may share a name. */}}
{{- define "podreduce.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "podreduce.fullname" .) -}}
{{- end -}}

{{- define "podreduce.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "podreduce.labels" -}}
{{ include "podreduce.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: podreduce
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* As task pods of any namespace reach it. */}}
{{- define "podreduce.progressUrl" -}}
{{- printf "http://%s-progress.%s.svc:8081/v1/progress" (include "podreduce.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "podreduce.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "podreduce.fullname" .) -}}
{{- end -}}

{{- define "podreduce.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "podreduce.runtimeImage" -}}
{{- .Values.runtimeImage | default (printf "podreduce-runtime:%s" .Chart.AppVersion) -}}
{{- end -}}

{{- define "podreduce.minioName" -}}
{{- printf "%s-minio" (include "podreduce.fullname" .) -}}
{{- end -}}

{{/* The storage Secret's values: the optional MinIO's, or those that were given. */}}
{{- define "podreduce.storageValues" -}}
{{- if .Values.minio.enabled -}}
endpoint: {{ printf "http://%s.%s.svc:9000" (include "podreduce.minioName" .) .Release.Namespace | quote }}
region: us-east-1
accessKey: {{ .Values.minio.accessKey | quote }}
secretKey: {{ include "podreduce.minioPassword" . | quote }}
workUri: {{ printf "s3://%s/work/" (first .Values.minio.buckets) | quote }}
{{- else -}}
endpoint: {{ .Values.storage.endpoint | quote }}
region: {{ .Values.storage.region | quote }}
accessKey: {{ required "storage.accessKey is needed with storage.endpoint" .Values.storage.accessKey | quote }}
secretKey: {{ required "storage.secretKey is needed with storage.endpoint" .Values.storage.secretKey | quote }}
workUri: {{ required "storage.workUri is needed with storage.endpoint, e.g. s3://podreduce/work/" .Values.storage.workUri | quote }}
{{- with .Values.storage.sessionToken }}
sessionToken: {{ . | quote }}
{{- end }}
{{- with .Values.storage.caCert }}
caCert: {{ . | quote }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The name of the storage Secret that the chart does not make; empty if it makes one, or if there is none. */}}
{{- define "podreduce.existingSecret" -}}
{{- ternary .Values.minio.existingSecret .Values.storage.existingSecret .Values.minio.enabled | default "" -}}
{{- end -}}

{{/* The name of the storage Secret in the release's namespace; empty if there is none. */}}
{{- define "podreduce.storageSecret" -}}
{{- if include "podreduce.existingSecret" . -}}
{{- include "podreduce.existingSecret" . -}}
{{- else if or .Values.minio.enabled .Values.storage.endpoint -}}
podreduce-storage
{{- end -}}
{{- end -}}

{{/* Where the cluster assigns users and groups, nothing is said of them. */}}
{{- define "podreduce.podSecurity" -}}
{{- $context := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not .Values.openshift -}}
{{- range list "runAsUser" "runAsGroup" "fsGroup" }}{{ $_ := set $context . 65532 }}{{ end -}}
{{- end -}}
{{- range $name, $value := .Values.podSecurityContext }}{{ $_ := set $context $name $value }}{{ end -}}
{{- toYaml $context -}}
{{- end -}}

{{- define "podreduce.containerSecurity" -}}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- range $name, $value := .Values.containerSecurityContext }}{{ $_ := set $context $name $value }}{{ end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* On which nodes the chart's pods may run. */}}
{{- define "podreduce.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* MinIO's password: the one that is set, else the one that is in use, else a new one. It is kept among the values, so
that all objects of one rendering have the same. Without a cluster to read nobody knows whether one is in use: then not
even a list of all Secrets is found. Helm itself lists them, so whoever may install may do so. */}}
{{- define "podreduce.minioPassword" -}}
{{- if not .Values.minio.secretKey -}}
{{- $used := lookup "v1" "Secret" .Release.Namespace (include "podreduce.minioName" .) | default dict -}}
{{- if not (or $used (lookup "v1" "Secret" .Release.Namespace "")) -}}
{{- fail (printf "minio.secretKey or minio.existingSecret is needed here: the chart is rendered without a cluster (helm template, Argo CD, --dry-run), where each rendering would make another password for MinIO. One in use is in the Secret %s, as MINIO_ROOT_PASSWORD. To only look at what an install makes, use --dry-run=server" (include "podreduce.minioName" .)) -}}
{{- end -}}
{{- $password := dig "data" "MINIO_ROOT_PASSWORD" "" $used | b64dec | default (randAlphaNum 32) -}}
{{- $_ := set .Values.minio "secretKey" $password -}}
{{- end -}}
{{- .Values.minio.secretKey -}}
{{- end -}}
