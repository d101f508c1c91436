package kubernetes

import (
	"math"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/port"
)

func as[T any](t testing.TB, text string) T {
	t.Helper()
	var out T
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReplicaStates(t *testing.T) {
	const ready = "conditions: [{type: Ready, status: 'True'}]"
	for _, c := range []struct {
		name, status string
		ends         bool
		state        string
		restarts     int
		cause        string
	}{
		{"scheduled", "{phase: Pending}", false, "starting", 0, ""},
		{"running", "{phase: Running, containerStatuses: [{name: api, state: {running: {}}}]}", false, "starting", 0, ""},
		{"ready", "{phase: Running, " + ready + ", containerStatuses: [{name: api, restartCount: 2, state: {running: {}}}]}", false, "ready", 2, ""},
		{"told to end", "{phase: Running, " + ready + ", containerStatuses: [{name: api, state: {running: {}}}]}", true, "draining", 0, ""},
		{"told to end before it began", "{phase: Pending}", true, "draining", 0, ""},
		{"ended", "{phase: Running, containerStatuses: [{name: api, state: {terminated: {exitCode: 0}}}]}", true, gone, 0, ""},
		{"crashes", "{phase: Running, containerStatuses: [{name: api, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 3, reason: Error, message: no model}}}]}", false, "backoff", 3, "container api ended with exit code 3 (Error) no model"},
		{"no image", "{phase: Pending, containerStatuses: [{name: api, state: {waiting: {reason: ImagePullBackOff, message: not found}}}]}", false, "backoff", 0, "ImagePullBackOff not found"},
		{"init crashes", "{phase: Pending, initContainerStatuses: [{name: model, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 7}}}], containerStatuses: [{name: api, state: {waiting: {reason: PodInitializing}}}]}", false, "backoff", 1, "container model ended with exit code 7"},
		{"evicted", "{phase: Failed, reason: Evicted, message: The node was low on memory}", false, "exited", 0, "Evicted The node was low on memory"},
		{"evicted and removed", "{phase: Failed, reason: Evicted}", true, gone, 0, "Evicted"},
		{"ended by itself", "{phase: Failed, containerStatuses: [{name: api, state: {terminated: {exitCode: 137, reason: OOMKilled}}}]}", false, "exited", 0, "exit code 137 (OOMKilled)"},
		{"hostile", `{phase: Failed, message: "a\e[31m\nb"}`, false, "exited", 0, "a [31m b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := as[corev1.Pod](t, "{metadata: {name: api-1, labels: {slipway.dev/release: r-1}}, status: "+c.status+"}")
			if c.ends {
				pod.DeletionTimestamp = &metav1.Time{Time: time.Now()}
			}
			got := replica(pod)
			if got.Name != "api-1" || got.Release != "r-1" || got.State != c.state || got.Restarts != c.restarts || !strings.Contains(got.Cause, c.cause) {
				t.Errorf("%+v, want %s with %d restarts: %q", got, c.state, c.restarts, c.cause)
			}
			if c.cause == "" && got.Cause != "" {
				t.Errorf("cause %q", got.Cause)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	if got := printable(" a\tb\r\n\x00c\x7f " + "\xff"); got != "a b c" {
		t.Errorf("%q", got)
	}
	if got := printable(strings.Repeat("ä", 400)); len(got) > 310 || !strings.HasSuffix(got, "ä...") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestIngressAddress(t *testing.T) {
	const lb = "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}"
	for _, c := range []struct{ name, text, url, host string }{
		{"plain", "{spec: {rules: [{host: api.test}]}, " + lb + "}", "http://api.test", "api.test:80"},
		{"tls", "{spec: {tls: [{hosts: [api.test]}], rules: [{host: api.test}]}, " + lb + "}", "https://api.test", "api.test:443"},
		{"nobody serves it", "{spec: {rules: [{host: api.test}]}}", "", ""},
		{"any host", "{spec: {rules: [{host: ''}, {host: '*.test'}]}, " + lb + "}", "", ""},
	} {
		got := ingressAddress(as[networkingv1.Ingress](t, c.text))
		if (len(got) > 0) != (c.url != "") || len(got) > 0 && got[0] != (candidate{c.url, c.host}) {
			t.Errorf("%s: %v, want %s", c.name, got, c.url)
		}
	}
}

// TestCandidates: users' own addresses first.
func TestCandidates(t *testing.T) {
	server := newAPI(t)
	server.objects["/apis/networking.k8s.io/v1/namespaces/ns/ingresses/api"] = parse(t, `{apiVersion: networking.k8s.io/v1, kind: Ingress,
		metadata: {name: api, labels: {slipway.dev/service: api, slipway.dev/environment: prod}}, spec: {rules: [{host: api.test}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}`)
	pods := []corev1.Pod{
		as[corev1.Pod](t, "{status: {hostIP: 10.0.0.1, conditions: [{type: Ready, status: 'False'}]}}"),
		as[corev1.Pod](t, "{status: {hostIP: 10.0.0.2, conditions: [{type: Ready, status: 'True'}]}}"),
	}
	for _, c := range []struct {
		name, text string
		want       string
	}{
		{"all", "{spec: {ports: [{port: 80, nodePort: 30080}]}, status: {loadBalancer: {ingress: [{hostname: lb.test}, {ip: '2001:db8::1'}, {}]}}}",
			"http://api.test http://lb.test:80 http://[2001:db8::1]:80 http://10.0.0.2:30080"},
		{"inside only", "{spec: {ports: [{port: 80}]}}", "http://api.test"},
		{"no port", "{spec: {}}", ""},
	} {
		entrances, err := server.cluster().entrances(t.Context(), "api", "prod")
		if err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, at := range candidates(as[corev1.Service](t, c.text), entrances, pods) {
			urls = append(urls, at.url)
		}
		if all := strings.Join(urls, " "); all != c.want {
			t.Errorf("%s: %s, want %s", c.name, all, c.want)
		}
	}
}

func TestTargetPort(t *testing.T) {
	pod := as[corev1.Pod](t, "{spec: {containers: [{name: side}, {name: api, ports: [{name: http, containerPort: 8000}, {name: admin, containerPort: 9000}]}]}}")
	for _, c := range []struct {
		ports string
		want  int
	}{
		{"[{port: 80, targetPort: http}]", 8000},
		{"[{port: 80, targetPort: admin}]", 9000},
		{"[{port: 80, targetPort: nothing}]", 0},
		{"[{port: 80, targetPort: 8080}]", 8080},
		{"[{port: 80}]", 80},
		{"[]", 0},
	} {
		svc := parse(t, "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {ports: "+c.ports+"}}")
		if got := targetPort(svc, pod); got != c.want {
			t.Errorf("%s: %d, want %d", c.ports, got, c.want)
		}
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{}, &pod); err != nil {
		t.Fatal(err)
	}
	if got := portOf(nil, pod); got != 0 {
		t.Errorf("no port at all: %d", got)
	}
}

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	s := port.Sample{Latency: []port.Bucket{{Le: .1, Count: 50}, {Le: .2, Count: 90}, {Le: 1, Count: 99}, {Le: inf, Count: 100}}}
	for _, c := range []struct {
		name string
		s    port.Sample
		q    float64
		want time.Duration
	}{
		{"half", s, .5, 100 * time.Millisecond},
		{"between", s, .7, 150 * time.Millisecond},
		{"low", s, .25, 50 * time.Millisecond},
		{"beyond the last limit", s, 1, time.Second},
		{"not measured", port.Sample{Requests: 5}, .5, 0},
		{"no request", port.Sample{Latency: []port.Bucket{{Le: 1}, {Le: inf}}}, .5, 0},
		{"all slow", port.Sample{Latency: []port.Bucket{{Le: 1}, {Le: inf, Count: 3}}}, .5, time.Second},
		{"only infinity", port.Sample{Latency: []port.Bucket{{Le: inf, Count: 3}}}, .5, 0},
	} {
		if got := quantile(c.s, c.q); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	last := time.Duration(0)
	for q := 0.01; q <= 1; q += .01 {
		got := quantile(s, q)
		if got < last {
			t.Fatalf("the quantile %g is %s, less than %s", q, got, last)
		}
		last = got
	}
}
