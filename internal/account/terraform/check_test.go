package terraform_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
	"github.com/slipway-cd/slipway/internal/account/terraform/schema"
)

// module is what the files declare, by address: "aws_iam_role.x", "data.aws_iam_role.x".
type module struct {
	declared map[string]*hclsyntax.Body
	order    []string
	problems []string
}

func parse(t *testing.T, files []export.File) *module {
	t.Helper()
	m := &module{declared: map[string]*hclsyntax.Body{}}
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".tf") {
			continue
		}
		parsed, diags := hclsyntax.ParseConfig([]byte(f.Text), f.Name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
			address := strings.Join(b.Labels, ".")
			if b.Type == "data" {
				address = "data." + address
			}
			if b.Type == "terraform" {
				continue
			}
			if m.declared[address] != nil {
				m.problems = append(m.problems, address+" is declared twice")
			}
			m.declared[address] = b.Body
			m.order = append(m.order, address)
		}
	}
	return m
}

// check returns what the provider would refuse, and references that lead nowhere.
func (m *module) check(t *testing.T) []string {
	t.Helper()
	schemas, err := schema.AWS()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range m.order {
		kind := strings.TrimSuffix(address, address[max(0, strings.LastIndexByte(address, '.')):])
		if !strings.Contains(address, ".") {
			kind = address
		}
		s, ok := schemas[kind]
		if !ok {
			m.problems = append(m.problems, "no resource "+kind)
			continue
		}
		m.checkBody(address, m.declared[address], s, true)
		m.checkReferences(m.declared[address], schemas)
	}
	return m.problems
}

func (m *module) fail(address, format string, args ...any) {
	m.problems = append(m.problems, address+": "+fmt.Sprintf(format, args...))
}

func (m *module) checkBody(address string, body *hclsyntax.Body, s schema.Block, top bool) {
	for name, a := range body.Attributes {
		want, ok := s.Attributes[name]
		switch {
		case !ok:
			m.fail(address, "no argument %s", name)
		case want.Computed:
			m.fail(address, "%s can only be read", name)
		case !fits(a.Expr, want.Type):
			m.fail(address, "%s is no %s", name, want.Type)
		}
	}
	for name, a := range s.Attributes {
		if a.Required && body.Attributes[name] == nil {
			m.fail(address, "%s is missing", name)
		}
	}
	count := map[string]int{}
	for _, b := range body.Blocks {
		count[b.Type]++
		nested, ok := s.Blocks[b.Type]
		switch {
		case ok:
			m.checkBody(address+" "+b.Type, b.Body, nested.Block, false)
		case top && b.Type == "lifecycle":
		default:
			m.fail(address, "no block %s", b.Type)
		}
	}
	for name, n := range s.Blocks {
		if n.Required && count[name] == 0 || n.Single && count[name] > 1 {
			m.fail(address, "%d blocks %s", count[name], name)
		}
	}
}

// fits reports whether a value is of the type; references and calls are strings.
func fits(e hclsyntax.Expression, t schema.Type) bool {
	switch x := e.(type) {
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.FunctionCallExpr, *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
		return t == schema.String
	case *hclsyntax.TupleConsExpr:
		return t == schema.Strings && !slices.ContainsFunc(x.Exprs, func(e hclsyntax.Expression) bool { return !fits(e, schema.String) })
	case *hclsyntax.ObjectConsExpr:
		return t == schema.StringMap
	case *hclsyntax.LiteralValueExpr:
		return x.Val.Type() == map[schema.Type]cty.Type{schema.Number: cty.Number, schema.Bool: cty.Bool}[t]
	}
	return false
}

func (m *module) checkReferences(body *hclsyntax.Body, schemas map[string]schema.Block) {
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if !ok || len(e.Traversal) < 2 { // a key of an object
			return nil
		}
		var words []string
		for _, part := range e.Traversal {
			switch p := part.(type) {
			case hcl.TraverseRoot:
				words = append(words, p.Name)
			case hcl.TraverseAttr:
				words = append(words, p.Name)
			}
		}
		address, attribute := strings.Join(words[:len(words)-1], "."), words[len(words)-1]
		if m.declared[address] == nil {
			m.problems = append(m.problems, address+" is not declared")
		} else if _, ok := schemas[strings.Join(words[:len(words)-2], ".")].Attributes[attribute]; !ok {
			m.problems = append(m.problems, address+" has no "+attribute)
		}
		return nil
	})
}

// kinds are those of the set by Terraform's types.
var kinds = map[string]account.Kind{
	"aws_s3_bucket": account.KindBucket, "aws_iam_openid_connect_provider": account.KindProvider, "aws_iam_policy": account.KindPolicy,
	"aws_iam_role": account.KindRole, "aws_ecr_repository": account.KindRepository, "aws_sagemaker_model_package_group": account.KindModelGroup,
	"aws_cloudwatch_log_group": account.KindLogGroup, "aws_sns_topic": account.KindTopic,
}

// resourceOf is the resource of the set that is declared at an address.
func (m *module) resourceOf(t *testing.T, s account.Set, address string) (account.Resource, bool) {
	t.Helper()
	words := strings.Split(strings.TrimPrefix(address, "data."), ".")
	kind, ok := kinds[words[0]]
	for _, key := range []string{"name", "bucket", "model_package_group_name", "url"} {
		a := m.declared[address].Attributes[key]
		if a == nil || !ok {
			continue
		}
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, r := range s.Resources {
			if r.Kind == kind && r.Name == strings.TrimPrefix(v.AsString(), "https://") {
				return r, true
			}
		}
	}
	return account.Resource{}, false
}

// evaluated is an argument's value, with the set's ARNs in the place of references.
func (m *module) evaluated(t *testing.T, s account.Set, address string) string {
	t.Helper()
	here, data := map[string]map[string]cty.Value{}, map[string]map[string]cty.Value{}
	for of := range m.declared {
		r, ok := m.resourceOf(t, s, of)
		if !ok {
			continue
		}
		to := here
		words := strings.Split(of, ".")
		if words[0] == "data" {
			to, words = data, words[1:]
		}
		if to[words[0]] == nil {
			to[words[0]] = map[string]cty.Value{}
		}
		to[words[0]][words[1]] = cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal(r.ARN)})
	}
	variables := objects(here)
	variables["data"] = cty.ObjectVal(objects(data))
	dot := strings.LastIndexByte(address, '.')
	v, diags := m.declared[address[:dot]].Attributes[address[dot+1:]].Expr.Value(&hcl.EvalContext{
		Variables: variables, Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc},
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return v.AsString()
}

func objects(all map[string]map[string]cty.Value) map[string]cty.Value {
	out := map[string]cty.Value{}
	for kind, of := range all {
		out[kind] = cty.ObjectVal(of)
	}
	return out
}
