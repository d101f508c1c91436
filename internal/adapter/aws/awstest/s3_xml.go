package awstest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

// writeRestXML writes the content of an element; lists of S3 are flattened.
func writeRestXML(b *strings.Builder, s *model.Service, name string, v any) {
	shape := s.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			ref := shape.Members[member]
			tag := wireName(&ref, member)
			if inner := s.Shapes[ref.Shape]; inner.Type == "list" && !inner.Flattened {
				b.WriteString("<" + tag + ">")
				for _, value := range elements(v[member]) {
					one := wireName(inner.Member, "member")
					b.WriteString("<" + one + ">")
					writeRestXML(b, s, inner.Member.Shape, value)
					b.WriteString("</" + one + ">")
				}
				b.WriteString("</" + tag + ">")
				continue
			}
			for _, value := range elements(v[member]) {
				child := ref.Shape
				if inner := s.Shapes[ref.Shape]; inner.Type == "list" {
					child = inner.Member.Shape
				}
				b.WriteString("<" + tag + ">")
				writeRestXML(b, s, child, value)
				b.WriteString("</" + tag + ">")
			}
		}
	case time.Time:
		b.WriteString(v.UTC().Format("2006-01-02T15:04:05.000Z"))
	default:
		b.WriteString(escaped(fmt.Sprint(v)))
	}
}

// elements are those of a list; anything else is its own only one.
func elements(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// element is a node of an XML document.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// decodeXML reads a body as the shape of that name.
func decodeXML(s *model.Service, name string, body []byte) (any, error) {
	var root element
	if err := xml.Unmarshal(body, &root); err != nil {
		return nil, err
	}
	return root.value(s, name)
}

func (e element) value(s *model.Service, name string) (any, error) {
	shape := s.Shapes[name]
	if shape.Type != "structure" {
		return scalarXML(shape, e.Text), nil
	}
	members := map[string]any{}
	for _, child := range e.Children {
		member, ref, ok := memberOf(shape, child.XMLName.Local)
		if !ok {
			return nil, fmt.Errorf("unknown element %s in %s", child.XMLName.Local, name)
		}
		inner := s.Shapes[ref.Shape]
		if inner.Type != "list" {
			v, err := child.value(s, ref.Shape)
			if err != nil {
				return nil, err
			}
			members[member] = v
			continue
		}
		items := []element{child}
		if !inner.Flattened {
			items = child.Children
		}
		list, _ := members[member].([]any)
		for _, item := range items {
			v, err := item.value(s, inner.Member.Shape)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		members[member] = append([]any{}, list...)
	}
	return members, nil
}

func memberOf(shape model.Shape, tag string) (string, model.Ref, bool) {
	for member, ref := range shape.Members {
		if wireName(&ref, member) == tag {
			return member, ref, true
		}
	}
	return "", model.Ref{}, false
}

func scalarXML(shape model.Shape, text string) any {
	if shape.Type == "integer" || shape.Type == "long" {
		return json.Number(strings.TrimSpace(text))
	}
	if shape.Type == "boolean" {
		return strings.TrimSpace(text) == "true"
	}
	return text
}
