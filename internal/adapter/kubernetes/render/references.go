package render

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// names are the new names of ConfigMaps and Secrets, by what they were called.
// A reference reaches objects of its own namespace only.
type names map[reference]*rename

type reference struct{ kind, namespace, name string }

type rename struct {
	title, now string
	used       bool
	turn       int // keeps what people read in the files' order
}

func (n names) add(o object, now string) {
	n[reference{o.text("kind"), o.meta("namespace"), o.meta("name")}] = &rename{title: o.title(), now: now, turn: len(n)}
}

func (n names) unused() []*rename {
	inOrder := make([]*rename, len(n))
	for _, r := range n {
		inOrder[r.turn] = r
	}
	var out []*rename
	for _, r := range inOrder {
		if !r.used {
			out = append(out, r)
		}
	}
	return out
}

// apply rewrites every reference that an object has.
func (n names) apply(o object) {
	in := scope{n, o.meta("namespace")}
	if spec := podSpec(o.body); spec != nil {
		in.pod(spec)
	}
	switch o.kind() {
	case schema.GroupKind{Kind: "ServiceAccount"}:
		in.each("Secret", "name", o.body["secrets"])
		in.each("Secret", "name", o.body["imagePullSecrets"])
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}:
		spec, _ := o.body["spec"].(map[string]any)
		in.each("Secret", "secretName", spec["tls"])
	}
}

// scope rewrites references of one namespace.
type scope struct {
	names     names
	namespace string
}

func (s scope) each(kind, field string, list any) {
	for _, m := range mapsIn(list) {
		s.one(kind, field, m)
	}
}

func (s scope) one(kind, field string, v any) {
	m, _ := v.(map[string]any)
	name, _ := m[field].(string)
	if r, ok := s.names[reference{kind, s.namespace, name}]; ok {
		m[field], r.used = r.now, true
	}
}

func (s scope) pod(spec map[string]any) {
	s.each("Secret", "name", spec["imagePullSecrets"])
	for _, c := range everyContainer(spec) {
		for _, e := range mapsIn(c["envFrom"]) {
			s.one("ConfigMap", "name", e["configMapRef"])
			s.one("Secret", "name", e["secretRef"])
		}
		for _, e := range mapsIn(c["env"]) {
			from, _ := e["valueFrom"].(map[string]any)
			s.one("ConfigMap", "name", from["configMapKeyRef"])
			s.one("Secret", "name", from["secretKeyRef"])
		}
	}
	for _, v := range mapsIn(spec["volumes"]) {
		s.volume(v)
	}
}

// volume rewrites a volume's own source, those that it puts together, and the
// credentials that storage drivers take.
func (s scope) volume(v map[string]any) {
	s.one("ConfigMap", "name", v["configMap"])
	s.one("Secret", "secretName", v["secret"])
	projected, _ := v["projected"].(map[string]any)
	for _, p := range mapsIn(projected["sources"]) {
		s.one("ConfigMap", "name", p["configMap"])
		s.one("Secret", "name", p["secret"])
	}
	s.one("Secret", "secretName", v["azureFile"])
	for _, driver := range []string{"csi", "cephfs", "rbd", "iscsi", "flexVolume", "scaleIO", "storageos"} {
		source, _ := v[driver].(map[string]any)
		s.one("Secret", "name", source["secretRef"])
		s.one("Secret", "name", source["nodePublishSecretRef"])
	}
}
