package fakeapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	jobsPath = "/apis/batch/v1/namespaces/ns/jobs"
	podsPath = "/api/v1/namespaces/ns/pods"
)

// pod is one whose containers are processes.
type pod struct {
	server   *Server
	volume   string // its path in the pod
	job      string
	template corev1.PodTemplateSpec
	root     string // the volume
	created  time.Time
	killed   chan struct{} // closed when it is to end
	once     sync.Once
	ended    chan struct{} // closed when it has

	mu         sync.Mutex
	containers map[string]*process
}

// process is a container's.
type process struct {
	started time.Time
	done    chan struct{}

	mu   sync.Mutex
	out  bytes.Buffer
	code int
}

func (p *pod) kill() { p.once.Do(func() { close(p.killed) }) }

// run runs the init containers one after the other, the others side by side, and completes
// the Job, as its controller would.
func (p *pod) run() {
	defer close(p.ended)
	p.publish()
	ok := true
	for _, c := range p.template.Spec.InitContainers {
		ok = ok && p.await(p.start(c))
	}
	var all []*process
	for _, c := range p.template.Spec.Containers {
		if ok {
			all = append(all, p.start(c))
		}
	}
	for _, one := range all {
		ok = p.await(one) && ok
	}
	select {
	case <-p.killed:
		p.server.Remove(podsPath + "/" + p.job)
		p.condition("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
	default:
		p.condition(map[bool]string{true: "Complete", false: "Failed"}[ok], "", "")
	}
}

func (p *pod) await(one *process) bool {
	<-one.done
	p.publish()
	return one.code == 0
}

// here replaces the volume's path.
func (p *pod) here(script string) string {
	return strings.ReplaceAll(script, p.volume+"/", p.root+"/")
}

// hereInFiles replaces the volume's path in the scripts that were sent into it.
func (p *pod) hereInFiles() {
	found, _ := filepath.Glob(p.root + "/in/.run")
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(p.here(string(text))), 0o600)
		}
		if err != nil {
			p.server.t.Error(err)
		}
	}
}

// start starts a container. Its processes are a group, which ends with the pod.
func (p *pod) start(c corev1.Container) *process {
	one := &process{started: time.Now(), done: make(chan struct{})}
	if c.Name == p.template.Spec.Containers[0].Name {
		p.hereInFiles()
	}
	cmd := exec.Command(c.Command[0], c.Command[1], p.here(c.Command[2]))
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=" + os.Getenv("PATH")}, one, one
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.server.t.Error(err)
	}
	p.mu.Lock()
	p.containers[c.Name] = one
	p.mu.Unlock()
	go func() {
		stop := make(chan struct{})
		go func() {
			select {
			case <-p.killed:
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			case <-stop:
			}
		}()
		_ = cmd.Wait()
		close(stop)
		one.code = cmd.ProcessState.ExitCode()
		close(one.done)
		p.publish()
	}()
	p.publish()
	return one
}

// Write takes what the container prints.
func (one *process) Write(b []byte) (int, error) {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.out.Write(b)
}

// from returns what was printed from a byte on.
func (one *process) from(offset int) []byte {
	one.mu.Lock()
	defer one.mu.Unlock()
	return bytes.Clone(one.out.Bytes()[offset:])
}

// publish writes the pod's state, as the kubelet would.
func (p *pod) publish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	object := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: p.job, Namespace: "ns", Labels: p.template.Labels, CreationTimestamp: metav1.NewTime(p.created)},
		Spec:       p.template.Spec,
		Status: corev1.PodStatus{
			Phase:                 corev1.PodRunning,
			InitContainerStatuses: p.statuses(p.template.Spec.InitContainers), ContainerStatuses: p.statuses(p.template.Spec.Containers),
		},
	}
	raw, err := json.Marshal(object)
	o := new(unstructured.Unstructured)
	if err == nil {
		err = o.UnmarshalJSON(raw)
	}
	if err != nil {
		p.server.t.Error(err)
		return
	}
	p.server.Put(podsPath+"/"+p.job, o)
}

func (p *pod) statuses(of []corev1.Container) (all []corev1.ContainerStatus) {
	for _, c := range of {
		s := corev1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: "containerd://registry.test/train@sha256:" + strings.Repeat("ab", 32)}
		one := p.containers[c.Name]
		switch {
		case one == nil:
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
		case isClosed(one.done):
			s.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: int32(one.code), StartedAt: metav1.NewTime(one.started)}
		default:
			s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(one.started)}
		}
		all = append(all, s)
	}
	return all
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// condition writes the Job's end.
func (p *pod) condition(kind, reason, message string) {
	p.server.Change(jobsPath+"/"+p.job, func(job *unstructured.Unstructured) {
		c := map[string]any{"type": kind, "status": "True", "reason": reason, "message": message}
		if err := unstructured.SetNestedSlice(job.Object, []any{c}, "status", "conditions"); err != nil {
			p.server.t.Error(err)
		}
	})
}

// log sends what a container prints until it ends, or the request does.
func (p *pod) log(w http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	one := p.containers[req.URL.Query().Get("container")]
	p.mu.Unlock()
	if one == nil {
		http.Error(w, "the container waits to start", http.StatusBadRequest)
		return
	}
	for sent := 0; ; time.Sleep(5 * time.Millisecond) {
		last := isClosed(one.done)
		text := one.from(sent)
		sent += len(text)
		if _, err := io.Copy(w, bytes.NewReader(text)); err != nil || last || req.Context().Err() != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}
