package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account/terraform/schema"
)

var (
	interfacePattern = regexp.MustCompile(`(?s)export interface (\w+)(?: extends [\w.]+)? \{(.*?)\n\}`)
	propertyPattern  = regexp.MustCompile(`(?s)/\*\*(.*?)\*/\s*readonly (\w+)(\??): (.+?);\n`)
	memberOfMap      = regexp.MustCompile(`(?s)\{\s*\[key: string\]: (\w+)[^}]*\}`)
	classPattern     = regexp.MustCompile(`(?s)export declare class (\w+) extends cdktn\.Terraform(Resource|Provider|DataSource) \{(.*)\n\}`)
	typePattern      = regexp.MustCompile(`tfResourceType = "(\w+)"`)
	getterPattern    = regexp.MustCompile(`get (\w+)\(\): (string|number|cdktn\.IResolvable|string\[\]);`)
	linkPattern      = regexp.MustCompile(`#(\w+) \w+#\w+\}`)
	blockPattern     = regexp.MustCompile(`\w+ block\s*\n`)
	upperPattern     = regexp.MustCompile(`[A-Z]`)
)

// property is a member of an interface of the bindings.
type property struct {
	name     string // Terraform's
	typ      string
	required bool
	block    bool
}

// parse returns Terraform's name of what a file binds, and its schema. A data source has
// "data." before its name, and the provider is "aws".
func parse(text string) (string, schema.Block, error) {
	class := classPattern.FindStringSubmatch(text)
	if class == nil {
		return "", schema.Block{}, errors.New("it has no class of a resource")
	}
	name := "aws"
	if m := typePattern.FindStringSubmatch(class[3]); m != nil {
		name = m[1]
	}
	if class[2] == "DataSource" {
		name = "data." + name
	}
	interfaces := map[string][]property{}
	for _, m := range interfacePattern.FindAllStringSubmatch(text, -1) {
		interfaces[m[1]] = properties(m[2])
	}
	b := convert(interfaces, class[1]+"Config", nil)
	for _, m := range getterPattern.FindAllStringSubmatch(class[3], -1) {
		attribute := snake(m[1])
		_, isAttribute := b.Attributes[attribute]
		_, isBlock := b.Blocks[attribute]
		if !isAttribute && !isBlock && !strings.HasSuffix(attribute, "_input") {
			b.Attributes[attribute] = schema.Attribute{Type: typeOf(m[2]), Computed: true}
		}
	}
	return name, b, nil
}

func properties(body string) (all []property) {
	flat := memberOfMap.ReplaceAllString(body+"\n", "map($1)")
	for _, m := range propertyPattern.FindAllStringSubmatch(flat, -1) {
		p := property{name: snake(m[2]), typ: strings.Join(strings.Fields(m[4]), " "), required: m[3] == "", block: blockPattern.MatchString(m[1])}
		if link := linkPattern.FindStringSubmatch(m[1]); link != nil {
			p.name = link[1]
		}
		all = append(all, p)
	}
	return all
}

// convert follows blocks within blocks; seen are those around it.
func convert(interfaces map[string][]property, name string, seen []string) schema.Block {
	b := schema.Block{Attributes: map[string]schema.Attribute{}, Blocks: map[string]schema.Nested{}}
	for _, p := range interfaces[name] {
		typ := strings.TrimSuffix(p.typ, " | cdktn.IResolvable")
		if !p.block {
			b.Attributes[p.name] = schema.Attribute{Type: typeOf(typ), Required: p.required}
			continue
		}
		n := schema.Nested{Single: !strings.HasSuffix(typ, "[]"), Required: p.required}
		base := strings.TrimSuffix(typ, "[]")
		if !slices.Contains(seen, base) {
			n.Block = convert(interfaces, base, append(seen, name))
		}
		b.Blocks[p.name] = n
	}
	return b
}

func typeOf(typescript string) schema.Type {
	switch strings.TrimSuffix(typescript, " | cdktn.IResolvable") {
	case "string":
		return schema.String
	case "number":
		return schema.Number
	case "boolean":
		return schema.Bool
	case "string[]":
		return schema.Strings
	case "number[]":
		return schema.Numbers
	case "map(string)":
		return schema.StringMap
	}
	return schema.Any
}

func snake(camel string) string {
	return strings.TrimPrefix(upperPattern.ReplaceAllStringFunc(camel, func(s string) string { return "_" + strings.ToLower(s) }), "_")
}
