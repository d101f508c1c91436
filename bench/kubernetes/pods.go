package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// pods follows the pods of a place, by one watch.
type pods struct {
	mu     sync.Mutex
	live   map[string]pod
	past   []moment
	broken error
	stop   context.CancelFunc
	ended  chan struct{}
}

// moment is what there was from then on.
type moment struct {
	at  time.Time
	all []pod
}

// pod is one that is not told to end.
type pod struct {
	release string
	ready   bool
}

// watch follows the place's pods until closed.
func (p *place) watch(ctx context.Context) (*pods, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &pods{live: map[string]pod{}, stop: stop, ended: make(chan struct{})}
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
		close(w.ended)
	}()
	return w, nil
}

func (w *pods) close() { w.stop(); <-w.ended }

func (w *pods) read(out io.Reader) {
	lines := json.NewDecoder(out)
	for {
		var e struct {
			Type   string
			Object podObject
		}
		err := lines.Decode(&e)
		w.mu.Lock()
		if err != nil {
			w.broken = fmt.Errorf("watch pods: %w", err)
			w.mu.Unlock()
			return
		}
		w.take(e.Type, e.Object)
		w.mu.Unlock()
	}
}

// podObject is what we read of a pod.
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

func (w *pods) take(how string, o podObject) {
	delete(w.live, o.Metadata.Name)
	if how != "DELETED" && o.Metadata.DeletionTimestamp == nil {
		w.live[o.Metadata.Name] = o.pod()
	}
	m := moment{at: time.Now()}
	for _, p := range w.live {
		m.all = append(m.all, p)
	}
	w.past = append(w.past, m)
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

// alone tells since when only that release's pods are there, and enough of them
// are ready; zero: it is not so. Others says whether there were other releases'
// pods after begun.
func (w *pods) alone(name string, want int, begun time.Time) (since time.Time, others bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.past {
		ready, strange := 0, false
		for _, p := range m.all {
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
	return since, others, w.broken
}
