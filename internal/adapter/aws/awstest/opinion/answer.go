package opinion

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// Answer is what came back for one call.
type Answer struct {
	Operation string // such as "sagemaker.CreateModelPackage"
	Status    int
	Code      string   // of an error, as the SDK reads it
	Members   []string // of the output, such as "repositories[].repositoryArn"
	Wrong     []string // what AWS's model refuses of the output
}

func newAnswer(s *model.Service, op model.Operation, res *http.Response, raw []byte) Answer {
	a := Answer{Operation: s.Name + "." + op.Name, Status: res.StatusCode}
	if res.StatusCode/100 != 2 {
		a.Code = errorCode(res.Header, raw)
		return a
	}
	if op.Output == nil {
		return a
	}
	o := output{s: s, found: map[string]bool{}, wrong: map[string]bool{}}
	o.read(op, res.Header, raw)
	a.Members, a.Wrong = slices.Sorted(maps.Keys(o.found)), slices.Sorted(maps.Keys(o.wrong))
	return a
}

var codeElement = regexp.MustCompile(`<Code>([^<]*)</Code>`)

// errorCode is the code of an error in any of AWS's protocols; empty: there is none, as
// in a response to HEAD.
func errorCode(h http.Header, raw []byte) string {
	var body struct {
		Type  string `json:"__type"`
		Lower string `json:"code"`
	}
	code := h.Get("X-Amzn-Errortype")
	if json.Unmarshal(raw, &body) == nil && code == "" {
		code = body.Type + body.Lower
	} else if m := codeElement.FindSubmatch(raw); m != nil {
		code = string(m[1])
	}
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndex(code, "#")+1:]
}

// output collects the members of one output.
type output struct {
	s            *model.Service
	found, wrong map[string]bool
}

func (o *output) read(op model.Operation, h http.Header, raw []byte) {
	shape := o.s.Shapes[op.Output.Shape]
	for name, ref := range shape.Members {
		switch {
		case ref.Location == "header" && h.Get(ref.LocationName) != "":
			o.found[name] = true
		case ref.Location == "headers" && slices.ContainsFunc(slices.Collect(maps.Keys(h)), func(key string) bool {
			return strings.HasPrefix(strings.ToLower(key), ref.LocationName)
		}):
			o.found[name] = true
		}
	}
	if o.s.Name == "s3" && h.Get("Content-Type") != "application/xml" && !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<")) {
		return // an object's content
	}
	switch body := bytes.TrimSpace(raw); {
	case len(body) == 0:
	case body[0] == '<':
		var root node
		if err := xml.Unmarshal(body, &root); err != nil {
			o.wrong["not XML"] = true
			return
		}
		if inner, ok := root.child(op.Output.ResultWrapper); ok {
			root = inner
		}
		o.members("", op.Output.Shape, root.value(o.s, op.Output.Shape))
	default:
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			o.wrong["not JSON"] = true
			return
		}
		v = named(o.s, op.Output.Shape, v)
		o.members("", op.Output.Shape, v)
		for _, text := range o.s.Validate("$", op.Output.Shape, v) {
			o.wrong[general(text)] = true
		}
	}
}

var (
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*" `)
	indexed = regexp.MustCompile(`\[\d+\]`)
)

// general leaves out of what is wrong what is of this one response.
func general(text string) string {
	return indexed.ReplaceAllString(quoted.ReplaceAllString(strings.TrimPrefix(text, "$."), ""), "[]")
}

// members adds the members of a value. Those that the model does not have are wrong, but
// for XML's: the SDK ignores both.
func (o *output) members(path, name string, v any) {
	shape := o.s.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			ref, ok := shape.Members[key]
			switch {
			case shape.Type == "map":
				o.members(path+"{}", shape.Value.Shape, value)
			case ok && value != nil:
				at := strings.TrimPrefix(path+"."+key, ".")
				o.found[at] = true
				o.members(at, ref.Shape, value)
			}
		}
	case []any:
		for _, value := range v {
			o.members(path+"[]", shape.Member.Shape, value)
		}
	}
}

// named gives members of JSON the names that they have in the model, and leaves out null.
func named(s *model.Service, name string, v any) any {
	shape := s.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if value == nil {
				continue
			}
			member, ref := key, shape.Members[key]
			if shape.Type == "map" {
				ref = *shape.Value
			}
			for other, r := range shape.Members {
				if r.LocationName == key {
					member, ref = other, r
				}
			}
			out[member] = named(s, ref.Shape, value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			if shape.Member != nil {
				value = named(s, shape.Member.Shape, value)
			}
			out[i] = value
		}
		return out
	}
	return v
}
