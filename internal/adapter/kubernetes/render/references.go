package render

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// renames maps ConfigMaps and Secrets to their new names. References only reach
// objects of the same namespace.
type renames map[objectRef]*renamedObject

type objectRef struct{ kind, namespace, name string }

type renamedObject struct {
	displayName, newName string
	referenced           bool
	index                int // position in the files, for the order of messages
}

func (n renames) add(o object, newName string) {
	n[objectRef{o.stringField("kind"), o.metaString("namespace"), o.metaString("name")}] = &renamedObject{displayName: o.displayName(), newName: newName, index: len(n)}
}

func (n renames) unreferenced() []*renamedObject {
	inOrder := make([]*renamedObject, len(n))
	for _, r := range n {
		inOrder[r.index] = r
	}
	var out []*renamedObject
	for _, r := range inOrder {
		if !r.referenced {
			out = append(out, r)
		}
	}
	return out
}

// rewrite updates all references of an object.
func (n renames) rewrite(o object) {
	refs := referenceScope{n, o.metaString("namespace")}
	if spec := podSpec(o.body); spec != nil {
		refs.rewritePod(spec)
	}
	switch o.groupKind() {
	case schema.GroupKind{Kind: "ServiceAccount"}:
		refs.rewriteAll("Secret", "name", o.body["secrets"])
		refs.rewriteAll("Secret", "name", o.body["imagePullSecrets"])
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}:
		spec, _ := o.body["spec"].(map[string]any)
		refs.rewriteAll("Secret", "secretName", spec["tls"])
	}
}

// referenceScope updates references within one namespace.
type referenceScope struct {
	renames   renames
	namespace string
}

func (s referenceScope) rewriteAll(kind, field string, list any) {
	for _, m := range mapItems(list) {
		s.rewriteField(kind, field, m)
	}
}

func (s referenceScope) rewriteField(kind, field string, v any) {
	m, _ := v.(map[string]any)
	name, _ := m[field].(string)
	if r, ok := s.renames[objectRef{kind, s.namespace, name}]; ok {
		m[field], r.referenced = r.newName, true
	}
}

func (s referenceScope) rewritePod(spec map[string]any) {
	s.rewriteAll("Secret", "name", spec["imagePullSecrets"])
	for _, c := range allContainers(spec) {
		for _, e := range mapItems(c["envFrom"]) {
			s.rewriteField("ConfigMap", "name", e["configMapRef"])
			s.rewriteField("Secret", "name", e["secretRef"])
		}
		for _, e := range mapItems(c["env"]) {
			from, _ := e["valueFrom"].(map[string]any)
			s.rewriteField("ConfigMap", "name", from["configMapKeyRef"])
			s.rewriteField("Secret", "name", from["secretKeyRef"])
		}
	}
	for _, v := range mapItems(spec["volumes"]) {
		s.rewriteVolume(v)
	}
}

// rewriteVolume updates a volume's source, its projected sources, and the credentials
// of storage drivers.
func (s referenceScope) rewriteVolume(v map[string]any) {
	s.rewriteField("ConfigMap", "name", v["configMap"])
	s.rewriteField("Secret", "secretName", v["secret"])
	projected, _ := v["projected"].(map[string]any)
	for _, p := range mapItems(projected["sources"]) {
		s.rewriteField("ConfigMap", "name", p["configMap"])
		s.rewriteField("Secret", "name", p["secret"])
	}
	s.rewriteField("Secret", "secretName", v["azureFile"])
	for _, driver := range []string{"csi", "cephfs", "rbd", "iscsi", "flexVolume", "scaleIO", "storageos"} {
		source, _ := v[driver].(map[string]any)
		s.rewriteField("Secret", "name", source["secretRef"])
		s.rewriteField("Secret", "name", source["nodePublishSecretRef"])
	}
}
