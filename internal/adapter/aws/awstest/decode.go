package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// decode finds the operation of a request, and its input as JSON would have it.
func decode(s *model.Service, r *http.Request, body []byte) (model.Operation, map[string]any, error) {
	switch s.Metadata.Protocol {
	case "json":
		return decodeJSON(s, r, body)
	case "query":
		return decodeQuery(s, r, body)
	case "rest-json":
		return decodeREST(s, r, body)
	case "smithy-rpc-v2-cbor": // AWS has JSON for the same service, too
		if speaksCBOR(r) {
			return decodeCBOR(s, r, body)
		}
		return decodeJSON(s, r, body)
	}
	return model.Operation{}, nil, fmt.Errorf("awstest cannot read the protocol %s of %s", s.Metadata.Protocol, s.Name)
}

func decodeJSON(s *model.Service, r *http.Request, body []byte) (model.Operation, map[string]any, error) {
	target := r.Header.Get("X-Amz-Target")
	prefix, name, _ := strings.Cut(target, ".")
	op, ok := s.Operations[name]
	if !ok || prefix != s.Metadata.TargetPrefix || r.Method != http.MethodPost {
		return op, nil, refuse("UnknownOperationException", "%s %s with the target %q", r.Method, r.URL.Path, target)
	}
	if want := "application/x-amz-json-" + s.Metadata.JSONVersion; r.Header.Get("Content-Type") != want {
		return op, nil, refuse("SerializationException", "Content-Type is %q, want %q", r.Header.Get("Content-Type"), want)
	}
	input, err := parseJSON(body)
	return op, input, err
}

func parseJSON(body []byte) (map[string]any, error) {
	input := map[string]any{}
	if len(bytes.TrimSpace(body)) == 0 {
		return input, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&input); err != nil {
		return nil, refuse("SerializationException", "%v", err)
	}
	return input, nil
}

// decodeREST takes members from the path, the query and headers, and the rest from the body.
func decodeREST(s *model.Service, r *http.Request, body []byte) (model.Operation, map[string]any, error) {
	for _, name := range s.Names() {
		op := s.Operations[name]
		labels, ok := matchURI(op.HTTP, r)
		if !ok {
			continue
		}
		input, err := parseJSON(body)
		if err != nil || op.Input == nil {
			return op, input, err
		}
		for member, ref := range s.Shapes[op.Input.Shape].Members {
			wire := ref.LocationName
			if wire == "" {
				wire = member
			}
			switch {
			case ref.Location == "uri":
				input[member] = labels[wire]
			case ref.Location == "querystring" && s.Shapes[ref.Shape].Type == "list" && r.URL.Query().Has(wire):
				var list []any
				for _, value := range r.URL.Query()[wire] {
					list = append(list, value)
				}
				input[member] = list
			case ref.Location == "querystring" && r.URL.Query().Has(wire):
				input[member] = scalar(s.Shapes[ref.Shape], r.URL.Query().Get(wire))
			case ref.Location == "header" && r.Header.Get(wire) != "":
				input[member] = scalar(s.Shapes[ref.Shape], r.Header.Get(wire))
			case ref.Location == "" && wire != member && input[wire] != nil:
				input[member] = input[wire]
				delete(input, wire)
			}
		}
		return op, input, nil
	}
	return model.Operation{}, nil, &Error{Code: "UnknownOperationException", Message: r.Method + " " + r.URL.Path, Status: http.StatusNotFound}
}

// matchURI compares a path with a template such as /clusters/{name}.
func matchURI(h model.HTTP, r *http.Request) (map[string]string, bool) {
	template, _, _ := strings.Cut(h.RequestURI, "?")
	want, got := strings.Split(template, "/"), strings.Split(r.URL.EscapedPath(), "/")
	if h.Method != r.Method || len(want) != len(got) {
		return nil, false
	}
	labels := map[string]string{}
	for i, part := range want {
		label, ok := strings.CutPrefix(part, "{")
		if !ok {
			if part != got[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(got[i])
		if err != nil || value == "" {
			return nil, false
		}
		labels[strings.TrimSuffix(label, "}")] = value
	}
	return labels, true
}

func scalar(shape model.Shape, text string) any {
	switch shape.Type {
	case "integer", "long", "float", "double":
		return json.Number(text)
	case "boolean":
		return text == "true"
	}
	return text
}

func decodeQuery(s *model.Service, r *http.Request, body []byte) (model.Operation, map[string]any, error) {
	form := r.URL.Query() // a presigned call has everything there
	if r.Method == http.MethodPost {
		var err error
		if form, err = url.ParseQuery(string(body)); err != nil {
			return model.Operation{}, nil, refuse("MalformedQueryString", "%v", err)
		}
	}
	op, ok := s.Operations[form.Get("Action")]
	if !ok || form.Get("Version") != s.Metadata.APIVersion {
		return op, nil, refuse("InvalidAction", "action %q, version %q", form.Get("Action"), form.Get("Version"))
	}
	fields := map[string]string{}
	for name, values := range form {
		if name != "Action" && name != "Version" && !strings.HasPrefix(name, "X-Amz-") {
			fields[name] = values[0]
		}
	}
	input := map[string]any{}
	if op.Input == nil {
		return op, input, nil
	}
	q := &query{s: s, fields: fields}
	if v, ok := q.value("", op.Input.Shape).(map[string]any); ok {
		input = v
	}
	for name := range q.fields { // what no member took
		return op, nil, refuse("ValidationError", "unknown parameter %s", name)
	}
	return op, input, nil
}

// query reads the flat names of the query protocol, such as Tags.member.1.Key.
type query struct {
	s      *model.Service
	fields map[string]string
}

// value takes what lies below prefix as the shape of that name; nil is nothing.
func (q *query) value(prefix, name string) any {
	shape := q.s.Shapes[name]
	switch shape.Type {
	case "structure":
		members := map[string]any{}
		for member, ref := range shape.Members {
			wire := ref.LocationName
			if wire == "" {
				wire = member
			}
			if v := q.value(join(prefix, wire), ref.Shape); v != nil {
				members[member] = v
			}
		}
		if len(members) == 0 && prefix != "" {
			return nil
		}
		return members
	case "list":
		return q.list(prefix, shape)
	case "map":
		return q.mapping(prefix, shape)
	}
	text, ok := q.fields[prefix]
	if !ok {
		return nil
	}
	delete(q.fields, prefix)
	return scalar(shape, text)
}

func (q *query) list(prefix string, shape model.Shape) any {
	at := prefix
	if !shape.Flattened {
		at = join(prefix, "member")
	}
	var list []any
	for i := 1; ; i++ {
		v := q.value(join(at, strconv.Itoa(i)), shape.Member.Shape)
		if v == nil {
			break
		}
		list = append(list, v)
	}
	if text, ok := q.fields[prefix]; ok && text == "" { // an empty list
		delete(q.fields, prefix)
		return []any{}
	}
	if list == nil {
		return nil
	}
	return list
}

func (q *query) mapping(prefix string, shape model.Shape) any {
	at := prefix
	if !shape.Flattened {
		at = join(prefix, "entry")
	}
	key, value := wireName(shape.Key, "key"), wireName(shape.Value, "value")
	entries := map[string]any{}
	for i := 1; ; i++ {
		entry := join(at, strconv.Itoa(i))
		k, ok := q.value(join(entry, key), shape.Key.Shape).(string)
		if !ok {
			break
		}
		entries[k] = q.value(join(entry, value), shape.Value.Shape)
	}
	if len(entries) == 0 {
		return nil
	}
	return entries
}

func wireName(ref *model.Ref, otherwise string) string {
	if ref.LocationName != "" {
		return ref.LocationName
	}
	return otherwise
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
