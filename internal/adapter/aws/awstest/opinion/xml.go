package opinion

import (
	"encoding/xml"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// node is an element of XML.
type node struct {
	XMLName  xml.Name
	Children []node `xml:",any"`
	Text     string `xml:",chardata"`
}

func (n node) child(name string) (node, bool) {
	for _, c := range n.Children {
		if c.XMLName.Local == name {
			return c, true
		}
	}
	return node{}, false
}

func (n node) all(name string) (found []node) {
	for _, c := range n.Children {
		if c.XMLName.Local == name {
			found = append(found, c)
		}
	}
	return found
}

// value reads the element as a shape, with the members' names of the model.
func (n node) value(s *model.Service, name string) any {
	shape := s.Shapes[name]
	switch shape.Type {
	case "structure":
		members := map[string]any{}
		for member, ref := range shape.Members {
			if v, ok := n.member(s, member, ref); ok {
				members[member] = v
			}
		}
		return members
	case "list":
		return n.list(s, shape, n.all(wireName(*shape.Member, "member")))
	}
	return n.Text
}

func (n node) member(s *model.Service, name string, ref model.Ref) (any, bool) {
	wire, shape := wireName(ref, name), s.Shapes[ref.Shape]
	found := n.all(wire)
	if len(found) == 0 || ref.Location != "" {
		return nil, false
	}
	if shape.Type == "list" && (shape.Flattened || ref.Flattened) {
		return n.list(s, shape, found), true
	}
	return found[0].value(s, ref.Shape), true
}

func (n node) list(s *model.Service, shape model.Shape, items []node) any {
	list := make([]any, len(items))
	for i, item := range items {
		list[i] = item.value(s, shape.Member.Shape)
	}
	return list
}

func wireName(ref model.Ref, otherwise string) string {
	if ref.LocationName != "" {
		return ref.LocationName
	}
	return otherwise
}
