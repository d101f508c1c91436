package fakeapi

import (
	"io"

	"k8s.io/apimachinery/pkg/util/json"
)

// decode reads JSON as objects have it: whole numbers are int64.
func decode(from io.Reader, to *map[string]any) error {
	raw, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

func mergeInto(object, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		old, wasMap := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && wasMap:
			mergeInto(old, inner)
		default:
			object[key] = value
		}
	}
}
