package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Unknown holds the fields of a stored document that this program does not know,
// because a newer one wrote them: the inside of a JSON object, or empty. A type that
// is stored has a field of this type, and its JSON methods call MarshalDocument and
// UnmarshalDocument; so the fields survive when the document is written again.
type Unknown string

// Object returns the fields as a JSON object.
func (u Unknown) Object() string { return "{" + string(u) + "}" }

// MarshalDocument encodes a struct, with the unknown fields after its own: a program
// that adds fields at the end of a struct writes the same bytes.
func MarshalDocument(v any, u Unknown) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // the caller's encoder does, if it should
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	raw := bytes.TrimSpace(out.Bytes())
	if u == "" {
		return raw, nil
	}
	inside, isObject := bytes.CutSuffix(raw, []byte("}"))
	if !isObject {
		return nil, fmt.Errorf("encode a document: %T is not a JSON object", v)
	}
	if len(inside) > len("{") {
		inside = append(inside, ',')
	}
	return append(append(inside, u...), '}'), nil
}

// UnmarshalDocument decodes a JSON object into the struct that v points to, and
// returns the fields that the struct does not have, as they are.
func UnmarshalDocument(raw []byte, v any) (Unknown, error) {
	if err := json.Unmarshal(raw, v); err != nil {
		return "", err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return "", err // null
	}
	names := fieldNames(reflect.TypeOf(v).Elem())
	var unknown []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		name, _ := key.(string)
		if names[strings.ToLower(name)] { // encoding/json takes fields in any case
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return "", err
		}
		unknown = append(unknown, string(quoted)+":"+string(value))
	}
	return Unknown(strings.Join(unknown, ",")), nil
}

// fieldNames returns the names of a struct's fields in JSON, in lower case.
func fieldNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-" || !f.IsExported() || f.Anonymous && tag == "":
		case tag == "":
			names[strings.ToLower(f.Name)] = true
		default:
			names[strings.ToLower(tag)] = true
		}
	}
	return names
}
