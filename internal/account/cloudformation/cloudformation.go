// Package cloudformation writes what a project needs in an account of AWS as a template
// of CloudFormation. It is pure.
package cloudformation

import (
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
)

// Command is what writes the files.
const Command = "slipway export cloudformation"

// TemplateFile is the template's name.
const TemplateFile = "slipway.yaml"

const header = "# Written by `" + Command + "` for %SERVICE%, account %ACCOUNT%, region %REGION%. Write it\n" +
	"# again after a change of slipway.yaml. Its roles have names: deploy it with --capabilities CAPABILITY_NAMED_IAM.\n"

// Export returns the files of a set. A kind of resource without a form is fault.Internal.
func Export(s account.Set) ([]export.File, error) {
	e := exporter{set: s, names: export.Names(s, logicalID), used: map[int]bool{}}
	var resources export.Object
	for i, r := range s.Resources {
		if r.Shared {
			continue
		}
		made, err := e.resources(i, r)
		if err != nil {
			return nil, err
		}
		resources = append(resources, made...)
	}
	template := export.Object{{Key: "AWSTemplateFormatVersion", Value: "2010-09-09"}, {Key: "Description", Value: "What " + s.Project + " needs in its account, by Slipway"}}
	if p := e.parameters(); len(p) > 0 {
		template = append(template, export.Field{Key: "Parameters", Value: p})
	}
	template = append(template, export.Field{Key: "Resources", Value: resources})
	head := strings.NewReplacer("%SERVICE%", s.Project, "%ACCOUNT%", s.Account, "%REGION%", s.Region).Replace(header)
	files := []export.File{{Name: TemplateFile, Text: head + export.YAML(template)}}
	if cluster, ok := export.Cluster(s, Command); ok {
		files = append(files, cluster)
	}
	return files, nil
}

// logicalID is a name of CloudFormation: letters and digits, unique in a template.
func logicalID(kind account.Kind, words []string) string {
	var b strings.Builder
	for _, word := range append(strings.Split(string(kind), "-"), words...) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// exporter writes the resources of a set.
type exporter struct {
	set   account.Set
	names []string     // of resources, by their index
	used  map[int]bool // shared resources that others refer to
}

// parameters are the ARNs of what others may use too, as far as it is referred to.
func (e exporter) parameters() (o export.Object) {
	for i, r := range e.set.Resources {
		if e.used[i] {
			o = append(o, export.Field{Key: e.names[i], Value: export.Object{
				{Key: "Type", Value: "String"}, {Key: "Default", Value: r.ARN}, {Key: "Description", Value: "ARN: " + r.Why + "; others may use it too"},
			}})
		}
	}
	return o
}

// resource is the set's resource at i, with its tags. What holds data stays when the
// stack is deleted.
func (e exporter) resource(kind string, i int, properties ...export.Field) export.Field {
	r := e.set.Resources[i]
	var tags []any
	for _, t := range export.Tags(e.set, r) {
		tags = append(tags, export.Object{{Key: "Key", Value: t.Key}, {Key: "Value", Value: t.Value}})
	}
	return e.part(kind, e.names[i], i, append(properties, field("Tags", tags))...)
}

// part belongs to the set's resource at i, and has no tags.
func (e exporter) part(kind, name string, i int, properties ...export.Field) export.Field {
	o := export.Object{{Key: "Type", Value: kind}}
	if e.set.Resources[i].Data {
		o = append(o, field("DeletionPolicy", "Retain"), field("UpdateReplacePolicy", "Retain"))
	}
	var kept export.Object
	for _, p := range properties {
		if p.Value != "" { // CloudFormation's default
			kept = append(kept, p)
		}
	}
	return field(name, append(o, field("Properties", kept)))
}

func field(key string, value any) export.Field { return export.Field{Key: key, Value: value} }

// refer returns a function for a text that begins with the ARN of what comes before i in
// the set, or else the text.
func (e exporter) refer(i int, text string) any {
	ref, ok := export.Refer(e.set, i, text)
	if !ok {
		return text
	}
	r, name := e.set.Resources[ref.Index], e.names[ref.Index]
	attribute := ""
	switch {
	case r.Kind == account.KindLogGroup: // its attribute Arn ends with a star
		return text
	case r.Shared:
		e.used[ref.Index] = true
	case r.Kind == account.KindBucket, r.Kind == account.KindProvider, r.Kind == account.KindRole, r.Kind == account.KindRepository:
		attribute = "Arn"
	}
	switch {
	case ref.Rest != "" && attribute != "":
		return sub(fmt.Sprintf("${%s.%s}", name, attribute), ref.Rest)
	case ref.Rest != "":
		return sub("${"+name+"}", ref.Rest)
	case attribute != "":
		return export.Object{{Key: "Fn::GetAtt", Value: []any{name, attribute}}}
	}
	return export.Object{{Key: "Ref", Value: name}}
}

// sub is a function that replaces what is in of; rest is literal.
func sub(of, rest string) export.Object {
	return export.Object{{Key: "Fn::Sub", Value: of + strings.ReplaceAll(rest, "${", "${!")}}
}

func (e exporter) policy(i int, d account.Document) export.Object {
	return export.Policy(d, func(arn string) any { return e.refer(i, arn) })
}
