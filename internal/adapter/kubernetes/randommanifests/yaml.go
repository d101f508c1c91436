package randommanifests

import (
	"fmt"
	"strings"
)

// YAML returns the manifests. Containers run the image of that repository, which is the
// sample of package porttest; a missing image is missing from the registry.
func (s Set) YAML(image, registry string) string {
	docs := []string{s.service(), s.deployment(image, registry)}
	for i, name := range s.Workers {
		docs = append(docs, s.worker(name, image, s.Defect == WorkerCrashes && i == 0))
	}
	for _, c := range s.Companions {
		docs = append(docs, companion(c, image))
	}
	if s.Greeting != "" {
		docs = append(docs, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {GREETING: %s}\n", s.Greeting))
	}
	if s.Autoscaler {
		docs = append(docs, s.autoscaler())
	}
	if s.Budget {
		docs = append(docs, fmt.Sprintf("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: %s}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}\n", ServiceName))
	}
	if s.Job != "" {
		docs = append(docs, s.job(image))
	}
	return strings.Join(docs, "---\n")
}

// service writes the Service. Its port keeps its name: nodes have no endpoints for a
// moment when that changes, whichever tool changes it.
func (s Set) service() string {
	ports := fmt.Sprintf("{name: http, port: 80, targetPort: %s}", s.Port)
	if s.AdminPort {
		ports = "{name: admin, port: 81, targetPort: admin}, " + ports
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {selector: {app: web}, ports: [%s]}\n", ServiceName, ports)
}

// deployment writes the Deployment that serves. Its selector differs from that of one
// with another name, as the API requires.
func (s Set) deployment(image, registry string) string {
	replicas, mode, more := "", "", ""
	if s.Replicas > 0 {
		replicas = fmt.Sprintf("\n  replicas: %d", s.Replicas)
	}
	switch s.Defect {
	case Crashes:
		mode = "crash"
	case NeverReady:
		mode = "unready"
	case ImageMissing:
		more = "\n        - {name: extra, image: '" + registry + "/absent@sha256:" + strings.Repeat("0", 64) + "'}"
	case FieldUnknown:
		more = "\n      terminationGraceSeconds: 5"
	}
	ports := fmt.Sprintf("{name: %s, containerPort: %d}", s.Port, servingPort)
	if s.AdminPort {
		ports = fmt.Sprintf("{name: admin, containerPort: %d}, ", adminPort) + ports
	}
	from := ""
	if s.Greeting != "" {
		from = "\n          envFrom: [{configMapRef: {name: greeting}}]"
	}
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:%[2]s
  selector: {matchLabels: {app: web, deployment: %[1]s}}
  template:
    metadata: {labels: {app: web, deployment: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: web
          image: %[3]s
          env: [{name: SAMPLE_VERSION, value: %[4]s}, {name: SAMPLE_MODE, value: "%[5]s"}, {name: SAMPLE_HOST, value: 0.0.0.0}, {name: PORT, value: "%[6]d"}]%[7]s
          ports: [%[8]s]
          resources: {requests: {cpu: 5m, memory: 16Mi}}
%[9]s%[10]s
`, s.Deployment, replicas, image, s.Version, mode, servingPort, from, ports, s.probes(), more)
}

func (s Set) probes() string {
	http := func(kind, path string) string {
		return fmt.Sprintf("          %s: {httpGet: {path: %s, port: %s}, periodSeconds: 1}", kind, path, s.Port)
	}
	ready := http("readinessProbe", "/ready")
	switch s.Probes {
	case ProbeTCP:
		return fmt.Sprintf("          readinessProbe: {tcpSocket: {port: %s}, periodSeconds: 1}", s.Port)
	case ProbeStartup:
		return http("startupProbe", "/health") + "\n" + ready
	case ProbeLiveness:
		return http("livenessProbe", "/health") + "\n" + ready
	}
	return ready
}

// worker writes a Deployment without a port.
func (s Set) worker(name, image string, crashes bool) string {
	mode := ""
	if crashes {
		mode = "crash"
	}
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: %[2]s
`, name, podSpec(image, mode, ""))
}

// companion writes a workload of another kind.
func companion(c Companion, image string) string {
	template := fmt.Sprintf("{metadata: {labels: {app: %s}}, spec: %s}", c.Name, podSpec(image, "", ""))
	spec := fmt.Sprintf("{selector: {matchLabels: {app: %s}}, template: %s}", c.Name, template)
	version := "apps/v1"
	switch c.Kind {
	case "StatefulSet":
		spec = fmt.Sprintf("{serviceName: %s, replicas: 1, selector: {matchLabels: {app: %s}}, template: %s}", ServiceName, c.Name, template)
	case "CronJob":
		version = "batch/v1"
		spec = fmt.Sprintf(`{schedule: "* * * * *", jobTemplate: {spec: {backoffLimit: 0, template: {spec: %s}}}}`, podSpec(image, "done", "Never"))
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: %s\n", version, c.Kind, c.Name, spec)
}

func (s Set) job(image string) string {
	mode := "done"
	if s.Defect == JobFails {
		mode = "crash"
	}
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {argument: %s}}\nspec: {backoffLimit: 0, template: {metadata: {annotations: {argument: %[1]s}}, spec: %s}}\n",
		s.Job, podSpec(image, mode, "Never"))
}

// podSpec is that of a pod that serves no requests: it listens on its loopback.
func podSpec(image, mode, restart string) string {
	if restart != "" {
		restart = "restartPolicy: " + restart + ", "
	}
	return fmt.Sprintf(`{%sterminationGracePeriodSeconds: 1, containers: [{name: main, image: %s, env: [{name: SAMPLE_MODE, value: "%s"}, {name: PORT, value: "0"}], resources: {requests: {cpu: 5m, memory: 16Mi}}}]}`, restart, image, mode)
}

func (s Set) autoscaler() string {
	return fmt.Sprintf(`apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %[1]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  minReplicas: %[2]d
  maxReplicas: %[3]d
  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: "1"}}}]
`, s.Deployment, autoscalerMin, autoscalerMax)
}
