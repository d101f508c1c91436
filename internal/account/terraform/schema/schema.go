// Package schema is what Terraform's provider for AWS takes, for the tests of what is
// exported: no part of the program.
package schema

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// Type is the type of an attribute.
type Type string

// The types. The bindings that they are read of do not tell lists from sets.
const (
	String    Type = "string"
	Number    Type = "number"
	Bool      Type = "bool"
	Strings   Type = "list(string)"
	Numbers   Type = "list(number)"
	StringMap Type = "map(string)"
	Any       Type = "any"
)

// Attribute is an argument, or what can only be read.
type Attribute struct {
	Type     Type `json:"type"`
	Required bool `json:"required,omitempty"`
	Computed bool `json:"computed,omitempty"` // it can only be read
}

// Block is the body of a resource, or of a block in it.
type Block struct {
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	Blocks     map[string]Nested    `json:"blocks,omitempty"`
}

// Nested is a block in another one.
type Nested struct {
	Single   bool `json:"single,omitempty"` // at most one
	Required bool `json:"required,omitempty"`
	Block
}

//go:embed aws.json
var raw []byte

// AWS returns the schemas by name: "aws" is the provider, and data sources begin with
// "data.".
func AWS() (map[string]Block, error) {
	var all map[string]Block
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("read aws.json: %w", err)
	}
	return all, nil
}
