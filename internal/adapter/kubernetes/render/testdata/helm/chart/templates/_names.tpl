{{ define "retail.name" }}{{ .Release.Name }}{{ end }}
