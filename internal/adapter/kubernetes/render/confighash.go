package render

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/port"
)

// hashDigits is how many digits of the hash go into a name.
const hashDigits = 10

// hashConfigNames appends a content hash to the names of ConfigMaps and Secrets, so
// that pods of the previous release keep theirs, and extracts the values of Secrets.
func (r *renderer) hashConfigNames() error {
	renamed := renames{}
	for _, o := range r.objects {
		if !isConfig(o.groupKind()) {
			continue
		}
		values, err := o.normalizeData()
		if err != nil {
			return err
		}
		if !keepsName(o) {
			name, err := hashedName(o)
			if err != nil {
				return err
			}
			renamed.add(o, name)
			o.body["metadata"].(map[string]any)["name"] = name
			o.body["immutable"] = true
		}
		if o.stringField("kind") == "Secret" {
			if err := r.extractSecret(o, values); err != nil {
				return err
			}
		}
	}
	for _, o := range r.objects {
		renamed.rewrite(o)
	}
	for _, n := range renamed.unreferenced() {
		r.addNote(`%s is not referenced by any object of the release; it is now named %s (annotate it with %s: "true" if something looks it up by name)`, n.displayName, n.newName, labels.KeepName)
	}
	return nil
}

func isConfig(k schema.GroupKind) bool {
	return k.Group == "" && (k.Kind == "ConfigMap" || k.Kind == "Secret")
}

// keepsName reports whether something outside the release looks the object up by
// name.
func keepsName(o object) bool {
	t := o.stringField("type")
	return o.annotation(labels.KeepName) == "true" || o.stringField("kind") == "Secret" &&
		(t == "kubernetes.io/service-account-token" || t == "bootstrap.kubernetes.io/token")
}

// normalizeData validates the entries of a ConfigMap or Secret, and folds a Secret's
// stringData into data. It returns the decoded values of a Secret.
func (o object) normalizeData() (map[string][]byte, error) {
	for _, field := range []string{"data", "binaryData", "stringData"} {
		if o.body[field] == nil {
			delete(o.body, field)
			continue
		}
		entries, ok := o.body[field].(map[string]any)
		if !ok {
			return nil, o.errorf("%s of %s is not a map", field, o.displayName())
		}
		if len(entries) == 0 {
			delete(o.body, field)
		}
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			if entries[k] == nil {
				entries[k] = ""
			}
			if _, ok := entries[k].(string); !ok {
				return nil, o.errorf("%s.%s of %s is not a string", field, k, o.displayName()).Hint("put the value in quotes: numbers and true/false are not strings")
			}
		}
	}
	if o.stringField("kind") != "Secret" {
		return nil, nil
	}
	return o.decodeSecret()
}

func (o object) decodeSecret() (map[string][]byte, error) {
	values := map[string][]byte{}
	data, _ := o.body["data"].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(data)) {
		text := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(data[k].(string))
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, o.errorf("data.%s of %s is not base64", k, o.displayName()).Hint("encode it, or move it to stringData, which holds plain text")
		}
		values[k] = value
	}
	plain, _ := o.body["stringData"].(map[string]any)
	for k, v := range plain {
		values[k] = []byte(v.(string))
	}
	delete(o.body, "stringData")
	delete(o.body, "data")
	if len(values) > 0 {
		encoded := map[string]any{}
		for k, v := range values {
			encoded[k] = base64.StdEncoding.EncodeToString(v)
		}
		o.body["data"] = encoded
	}
	return values, nil
}

// hashedName returns the object's name with the first digits of its content's digest
// appended. Labels are not part of the content: they do not affect pods.
func hashedName(o object) (string, error) {
	name := o.metaString("name")
	text, err := json.Marshal([]any{o.stringField("kind"), name, o.body["data"], o.body["binaryData"], o.stringField("type")})
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", o.displayName(), err)
	}
	sum := sha256.Sum256(text)
	return hashSuffixed(name, hex.EncodeToString(sum[:])[:hashDigits], maxNameLength), nil
}

// hashSuffixed appends digits to a name, which is shortened to fit.
func hashSuffixed(name, digits string, maxLength int) string {
	return strings.TrimRight(name[:min(len(name), maxLength-len(digits)-1)], "-.") + "-" + digits
}

// extractSecret moves a Secret's values out of the object, and annotates the object
// with the names of its keys for people to read.
func (r *renderer) extractSecret(o object, values map[string][]byte) error {
	delete(o.body, "data")
	name := o.metaString("name")
	annotations := childMap(o.body["metadata"].(map[string]any), "annotations")
	annotations[labels.Keys] = strings.Join(slices.Sorted(maps.Keys(values)), ",")
	for _, s := range r.secrets {
		if s.Name != name {
			continue
		}
		if maps.EqualFunc(s.Data, values, func(a, b []byte) bool { return string(a) == string(b) }) {
			return nil // the same Secret in another namespace
		}
		return o.errorf("two Secrets with different content have the fixed name %s", name).Hint("remove the annotation %s, or rename one of them", labels.KeepName)
	}
	r.secrets = append(r.secrets, port.Secret{Name: name, Data: values})
	return nil
}
