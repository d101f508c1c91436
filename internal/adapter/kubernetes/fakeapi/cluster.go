package fakeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
)

// Cluster is as much of a cluster as Jobs need: an API server that stores objects, a
// controller that makes one pod of each Job and ends it at the Job's deadline, and a
// kubelet that runs the scripts of its containers (sh -c SCRIPT) as processes of this
// machine. A pod's volume is a folder of the test, by whose path the one in the pod is
// replaced in all that runs: a process needs rights to see it elsewhere.
type Cluster struct {
	*Server
	volume string // its path in pods
	http   *httptest.Server

	mu   sync.Mutex
	pods map[string]*pod // by the name of pod and Job
}

// NewCluster returns an empty cluster whose pods have a volume at that path. What still
// runs is killed when the test ends.
func NewCluster(t testing.TB, volume string) *Cluster {
	c := &Cluster{Server: New(t), volume: volume, pods: map[string]*pod{}}
	c.http = httptest.NewServer(c)
	t.Cleanup(c.close)
	return c
}

func (c *Cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		p.kill()
		<-p.ended
	}
	c.http.CloseClientConnections()
	c.http.Close()
}

// Client returns a client in namespace ns.
func (c *Cluster) Client() *client.Client { return ClientAt(c.t, c.http.URL) }

// ServeHTTP implements http.Handler.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	for suffix, answer := range map[string]func(*pod, http.ResponseWriter, *http.Request){"/exec": (*pod).exec, "/log": (*pod).log} {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(req.URL.Path, podsPath+"/"), suffix); ok {
			if p := c.pod(w, name); p != nil {
				answer(p, w, req)
			}
			return
		}
	}
	code, content := c.Respond(req)
	if o, ok := content.(*unstructured.Unstructured); ok && o.GetKind() == "Job" {
		c.control(o)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(content); err != nil {
		c.t.Error(err)
	}
}

// control brings about what a Job asks for.
func (c *Cluster) control(job *unstructured.Unstructured) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pods[job.GetName()]
	if p == nil {
		p = c.newPod(job)
		c.pods[job.GetName()] = p
		go p.run()
		return
	}
	seconds, ok, _ := unstructured.NestedInt64(job.Object, "spec", "activeDeadlineSeconds")
	if ok && time.Since(p.created) > time.Duration(seconds)*time.Second {
		p.kill()
	} else if ok {
		time.AfterFunc(time.Duration(seconds)*time.Second-time.Since(p.created), p.kill)
	}
}

// pod returns a pod, or answers that there is none.
func (c *Cluster) pod(w http.ResponseWriter, name string) *pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pods[name]
	if p == nil {
		http.Error(w, fmt.Sprintf("pods %q not found", name), http.StatusNotFound)
	}
	return p
}

// newPod reads what of a Job its pod is made of.
func (c *Cluster) newPod(job *unstructured.Unstructured) *pod {
	var template corev1.PodTemplateSpec
	spec, _, err := unstructured.NestedMap(job.Object, "spec", "template")
	if err == nil {
		var raw []byte
		if raw, err = json.Marshal(spec); err == nil {
			err = json.Unmarshal(raw, &template)
		}
	}
	if err != nil {
		c.t.Errorf("Job %s: %v", job.GetName(), err)
	}
	return &pod{
		server: c.Server, volume: c.volume, job: job.GetName(), template: template, root: c.t.TempDir(), created: time.Now(),
		killed: make(chan struct{}), ended: make(chan struct{}), containers: map[string]*process{},
	}
}
