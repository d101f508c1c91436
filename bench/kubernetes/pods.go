package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// podWatch follows the pods of a namespace with one watch.
type podWatch struct {
	mu      sync.Mutex
	live    map[string]pod
	history []podSet
	err     error
	stop    context.CancelFunc
	exited  chan struct{}
}

// podSet is the set of pods from a point in time on.
type podSet struct {
	at   time.Time
	pods []pod
}

// pod is a pod that is not being deleted.
type pod struct {
	release string
	ready   bool
}

// watchPods follows the namespace's pods until closed.
func (p *namespace) watchPods(ctx context.Context) (*podWatch, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &podWatch{live: map[string]pod{}, stop: stop, exited: make(chan struct{})}
	cmd := p.command(ctx, "kubectl", "get", "pods", "--watch", "--output-watch-events", "-o", "json")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	go func() {
		w.read(out)
		_ = cmd.Wait()
		close(w.exited)
	}()
	return w, nil
}

func (w *podWatch) close() { w.stop(); <-w.exited }

func (w *podWatch) read(out io.Reader) {
	lines := json.NewDecoder(out)
	for {
		var e struct {
			Type   string
			Object podObject
		}
		err := lines.Decode(&e)
		w.mu.Lock()
		if err != nil {
			w.err = fmt.Errorf("watch pods: %w", err)
			w.mu.Unlock()
			return
		}
		w.apply(e.Type, e.Object)
		w.mu.Unlock()
	}
}

// podObject is the part of a pod that is decoded.
type podObject struct {
	Metadata struct {
		Name              string
		DeletionTimestamp *time.Time
	}
	Spec struct {
		Containers []struct {
			Env []struct{ Name, Value string }
		}
	}
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

func (w *podWatch) apply(how string, o podObject) {
	delete(w.live, o.Metadata.Name)
	if how != "DELETED" && o.Metadata.DeletionTimestamp == nil {
		w.live[o.Metadata.Name] = o.pod()
	}
	m := podSet{at: time.Now()}
	for _, p := range w.live {
		m.pods = append(m.pods, p)
	}
	w.history = append(w.history, m)
}

func (o podObject) pod() (p pod) {
	for _, c := range o.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == "MODEL_VERSION" {
				p.release = e.Value
			}
		}
	}
	for _, c := range o.Status.Conditions {
		p.ready = p.ready || c.Type == "Ready" && c.Status == "True"
	}
	return p
}

// onlyReleaseSince returns since when only that release's pods have been running,
// with enough of them ready; zero if they are not. others reports whether there were
// other releases' pods after begun.
func (w *podWatch) onlyReleaseSince(name string, want int, begun time.Time) (since time.Time, others bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.history {
		ready, strange := 0, false
		for _, p := range m.pods {
			strange = strange || p.release != name
			if p.ready {
				ready++
			}
		}
		others = others || strange && m.at.After(begun)
		switch {
		case strange || ready < want:
			since = time.Time{}
		case since.IsZero():
			since = m.at
		}
	}
	return since, others, w.err
}
