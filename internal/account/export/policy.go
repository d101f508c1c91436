package export

import (
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
)

// Policy is a policy as IAM keeps it. refer returns what stands for an ARN.
func Policy(d account.Document, refer func(arn string) any) Object {
	var statements []any
	for _, s := range d.Statements {
		statements = append(statements, statement(s, refer))
	}
	return Object{{"Version", "2012-10-17"}, {"Statement", statements}}
}

func statement(s account.Statement, refer func(string) any) (o Object) {
	if s.Sid != "" {
		o = append(o, Field{"Sid", s.Sid})
	}
	effect := "Allow"
	if s.Deny {
		effect = "Deny"
	}
	o = append(o, Field{"Effect", effect})
	if len(s.Principals) > 0 {
		var principal Object
		for _, kind := range slices.Sorted(maps.Keys(s.Principals)) {
			principal = append(principal, Field{kind, oneOrMore(s.Principals[kind], refer)})
		}
		o = append(o, Field{"Principal", principal})
	}
	o = append(o, Field{"Action", oneOrMore(s.Actions, plain)})
	if len(s.Resources) > 0 {
		o = append(o, Field{"Resource", oneOrMore(s.Resources, refer)})
	}
	if len(s.Conditions) > 0 {
		o = append(o, Field{"Condition", conditions(s.Conditions, refer)})
	}
	return o
}

func conditions(all account.Conditions, refer func(string) any) (o Object) {
	for _, operator := range slices.Sorted(maps.Keys(all)) {
		var keys Object
		for _, key := range slices.Sorted(maps.Keys(all[operator])) {
			keys = append(keys, Field{key, oneOrMore(all[operator][key], refer)})
		}
		o = append(o, Field{operator, keys})
	}
	return o
}

func plain(text string) any { return text }

// oneOrMore writes a list of one as its value, as account.Document does.
func oneOrMore(values []string, of func(string) any) any {
	if len(values) == 1 {
		return of(values[0])
	}
	return List(values, of)
}

// List is a list of values.
func List(values []string, of func(string) any) []any {
	all := []any{}
	for _, v := range values {
		all = append(all, of(v))
	}
	return all
}

// Plain is a list of strings.
func Plain(values []string) []any { return List(values, plain) }

// Lifecycle is the rule of a repository of ECR: untagged images go, tagged ones never.
func Lifecycle(days int) Object {
	return Object{{"rules", []any{Object{
		{"rulePriority", 1}, {"description", account.UntaggedRule},
		{"selection", Object{{"tagStatus", "untagged"}, {"countType", "sinceImagePushed"}, {"countUnit", "days"}, {"countNumber", days}}},
		{"action", Object{{"type", "expire"}}},
	}}}}
}
