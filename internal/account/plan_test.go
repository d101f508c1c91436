package account

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// deployRole is a role of the tests.
func deployRole() Role {
	return Role{
		Description: "deploys retail to prod", MaxSession: time.Hour,
		Trust: Document{[]Statement{{
			Sid: "GitHub", Actions: []string{"sts:AssumeRoleWithWebIdentity"},
			Principals: Principals{"Federated": {"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}},
			Conditions: Conditions{"StringEquals": {"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"}, "token.actions.githubusercontent.com:sub": {"repo:o/r:environment:prod", "repo:o@1/r@2:environment:prod"}}},
		}}},
		Rights: Document{[]Statement{{Sid: "Push", Actions: []string{"ecr:PutImage", "ecr:BatchGetImage"}, Resources: []string{"arn:aws:ecr:eu-west-1:111122223333:repository/mlops/retail"}}}},
	}
}

const trustText = `{"Version":"2012-10-17","Statement":{"Sid":"GitHub","Effect":"Allow",
	"Principal":{"Federated":["arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"]},
	"Action":["sts:AssumeRoleWithWebIdentity"],
	"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com","token.actions.githubusercontent.com:sub":["repo:o@1/r@2:environment:prod","repo:o/r:environment:prod"]}}}}`

const rightsText = `{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"Push","Effect":"Allow","Action":["ecr:BatchGetImage","ecr:PutImage"],"Resource":["arn:aws:ecr:eu-west-1:111122223333:repository/mlops/retail"]}]}`

func liveRole() LiveRole {
	return LiveRole{Description: "deploys retail to prod", MaxSession: time.Hour, Trust: json.RawMessage(trustText), Rights: json.RawMessage(rightsText)}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	with := func(change func(*LiveRole)) LiveRole {
		r := liveRole()
		change(&r)
		return r
	}
	replace := func(text, old, changed string) json.RawMessage {
		return json.RawMessage(strings.Replace(text, old, changed, 1))
	}
	for name, c := range map[string]struct {
		want, have Spec
		differ     string
	}{
		"the same policies in other words": {deployRole(), liveRole(), ""},
		"a longer session":                 {deployRole(), with(func(r *LiveRole) { r.MaxSession = 12 * time.Hour }), "MaxSession: 12h0m0s becomes 1h0m0s"},
		"a boundary":                       {deployRole(), with(func(r *LiveRole) { r.Boundary = "arn:b" }), "Boundary: arn:b goes"},
		"a wildcard in the trust": {deployRole(), with(func(r *LiveRole) {
			r.Trust = json.RawMessage(strings.ReplaceAll(trustText, `"repo:o/r:environment:prod"`, `"repo:o/r:*"`))
		}), "Trust.Statement[GitHub].Condition.StringEquals.token.actions.githubusercontent.com:sub: repo:o/r:* becomes repo:o/r:environment:prod"},
		"another operator": {deployRole(), with(func(r *LiveRole) { r.Trust = replace(trustText, "StringEquals", "StringLike") }),
			"Trust.Statement[GitHub].Condition.StringEquals.token.actions.githubusercontent.com:aud: sts.amazonaws.com is missing\n" +
				"Trust.Statement[GitHub].Condition.StringEquals.token.actions.githubusercontent.com:sub: repo:o/r:environment:prod, repo:o@1/r@2:environment:prod is missing\n" +
				"Trust.Statement[GitHub].Condition.StringLike.token.actions.githubusercontent.com:aud: sts.amazonaws.com goes\n" +
				"Trust.Statement[GitHub].Condition.StringLike.token.actions.githubusercontent.com:sub: repo:o/r:environment:prod, repo:o@1/r@2:environment:prod goes"},
		"more actions": {deployRole(), with(func(r *LiveRole) { r.Rights = replace(rightsText, `"ecr:PutImage"`, `"ecr:PutImage","ecr:*"`) }),
			"Rights.Statement[Push].Action: ecr:* goes"},
		"a statement more": {deployRole(), with(func(r *LiveRole) {
			r.Rights = replace(rightsText, `"Statement":[`, `"Statement":[{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},`)
		}), `Rights.Statement[1]: {"Effect":"Allow","NotAction":["iam:*"],"Resource":["*"]} goes`},
		"no rights": {deployRole(), with(func(r *LiveRole) { r.Rights = nil }),
			`Rights.Statement[Push]: {"Action":["ecr:BatchGetImage","ecr:PutImage"],"Effect":"Allow","Resource":["arn:aws:ecr:eu-west-1:111122223333:repository/mlops/retail"],"Sid":"Push"} is missing`},
		"nothing wanted, nothing there": {Role{}, LiveRole{}, ""},
		"an account's root in two ways": {
			Policy{Document: Document{[]Statement{{Sid: "s", Principals: Principals{"AWS": {"111122223333"}}, Actions: []string{"a:b"}}}}},
			LivePolicy{Document: json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"a:b"}]}`)}, ""},
		"groups in another order": {AccessEntry{Groups: []string{"a", "b"}}, AccessEntry{Groups: []string{"b", "a"}}, ""},
		"a group more":            {AccessEntry{Groups: []string{"a"}}, AccessEntry{Groups: []string{"a", "system:masters"}}, "Groups: system:masters goes"},
		"versions turned off":     {Bucket{Versioned: true}, Bucket{}, "Versioned: false becomes true"},
		"a prefix that expires":   {Bucket{Expire: map[string]int{"tmp/": 30}}, Bucket{}, "Expire.tmp/: 30 is missing"},
		"retention":               {LogGroup{30}, LogGroup{0}, "RetentionDays: 0 becomes 30"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := Diff(c.want, c.have)
			if err != nil {
				t.Fatal(err)
			}
			lines := make([]string, len(found))
			for i, d := range found {
				lines[i] = d.String()
			}
			if got := strings.Join(lines, "\n"); got != c.differ {
				t.Errorf("got\n%s\nwant\n%s", got, c.differ)
			}
		})
	}
}

func TestDiff_Errors(t *testing.T) {
	t.Parallel()
	if _, err := Diff(deployRole(), LiveRole{Trust: json.RawMessage("{")}); err == nil {
		t.Error("a policy that is no JSON was compared")
	}
}

// retail is a set with a resource of each sort.
func retail() Set {
	return Set{Account: "111122223333", Region: "eu-west-1", Project: "retail", Resources: []Resource{
		{Kind: KindBucket, Name: "retail-ml", Spec: Bucket{Versioned: true}, Data: true, Why: "the shared state and models"},
		{Kind: KindProvider, Name: "token.actions.githubusercontent.com", Spec: Provider{URL: "token.actions.githubusercontent.com", Audiences: []string{"sts.amazonaws.com"}}, Shared: true, Why: "tokens of GitHub"},
		{Kind: KindRole, Name: "retail-prod", Spec: deployRole(), Environment: "prod", Why: "deploys to prod"},
		{Kind: KindRepository, Name: "mlops/retail", Spec: Repository{Immutable: true, ScanOnPush: true, UntaggedDays: 14}, Data: true, Why: "images of releases"},
		{Kind: KindAlarm, Name: "slipway/retail/prod/p95", Spec: Topic{}, Why: "slow responses"},
		{Kind: KindAccessEntry, Name: "retail-prod in mlops", Spec: AccessEntry{Cluster: "mlops", Principal: "arn:aws:iam::111122223333:role/retail-prod", Groups: []string{"slipway-prod"}}, Environment: "prod", Why: "lets retail-prod in"},
	}}
}

// seen is what the set is like in an account, made by Slipway.
func seen(set Set) (all []Observed) {
	for _, r := range set.Resources {
		o := Observed{Resource: r, Tags: set.Tags(r, false)}
		if _, ok := r.Spec.(Role); ok {
			o.Spec = liveRole()
		}
		all = append(all, o)
	}
	return all
}

func foreign(o Observed, owner string) Observed {
	o.Tags = nil
	if owner != "" {
		o.Tags = map[string]string{TagProject: owner}
	}
	return o
}

func describe(p Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s", c.Action, c.Resource.Title())
		if c.Why != "" {
			fmt.Fprintf(&b, ": %s", c.Why)
		}
		if c.Hint != "" {
			fmt.Fprintf(&b, " -> %s", c.Hint)
		}
		b.WriteByte('\n')
		for _, d := range c.Differences {
			fmt.Fprintf(&b, "    %s\n", d)
		}
	}
	fmt.Fprintf(&b, "%d unchanged\n", len(p.Unchanged))
	var left []Resource
	for _, c := range p.Changes {
		if c.Action != Delete {
			left = append(left, c.Resource)
		}
	}
	for _, c := range Costs(append(left, p.Unchanged...)) {
		fmt.Fprintf(&b, "cost: %s\n", c)
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	t.Parallel()
	set := retail()
	all := seen(set)
	old := Observed{Resource: Resource{Kind: KindRole, Name: "retail-staging", Spec: LiveRole{}}, Tags: map[string]string{TagProject: "retail"}}
	oldData := Observed{Resource: Resource{Kind: KindBucket, Name: "retail-old", Spec: Bucket{}, Data: true}, Tags: map[string]string{TagProject: "retail"}}
	adopted := Observed{Resource: Resource{Kind: KindTopic, Name: "releases", Spec: Topic{}}, Tags: map[string]string{TagProject: "retail", TagAdopted: "true"}}
	edit := func(i int, change func(*Observed)) []Observed {
		out := append([]Observed{}, all...)
		change(&out[i])
		return out
	}
	drifted := edit(2, func(o *Observed) {
		r := liveRole()
		r.MaxSession = 12 * time.Hour
		o.Spec, o.Others = r, []Difference{{Path: "policies", Have: "arn:aws:iam::aws:policy/AdministratorAccess"}}
	})
	for name, c := range map[string]struct {
		observed []Observed
		options  Options
		destroy  bool
	}{
		"nothing there":  {},
		"all there":      {observed: all},
		"state only":     {options: Options{Only: func(r Resource) bool { return r.Kind == KindBucket }}, observed: []Observed{old}},
		"drift":          {observed: drifted},
		"lost tag":       {observed: edit(2, func(o *Observed) { o.Tags = map[string]string{TagProject: "retail"} })},
		"older entry":    {observed: edit(5, func(o *Observed) { o.Others = []Difference{{Path: "made", Have: "before its role", Want: "after it"}} })},
		"foreign":        {observed: []Observed{foreign(all[1], ""), foreign(drifted[2], ""), foreign(all[3], "billing")}},
		"foreign issuer": {observed: []Observed{foreign(edit(1, func(o *Observed) { o.Spec = Provider{URL: "token.actions.githubusercontent.com"} })[1], "")}},
		"shared issuer": {observed: []Observed{foreign(edit(1, func(o *Observed) {
			o.Spec = Provider{URL: "token.actions.githubusercontent.com", Audiences: []string{"https://github.com/o", "sts.amazonaws.com"}}
		})[1], "billing")}},
		"adopt":          {observed: []Observed{foreign(all[1], ""), foreign(drifted[2], ""), foreign(all[3], "billing")}, options: Options{Adopt: []string{"token.actions.githubusercontent.com", "role/retail-prod", "mlops/retail"}}},
		"adopt as is":    {observed: []Observed{foreign(all[0], "")}, options: Options{Adopt: []string{"retail-ml"}}},
		"not wanted":     {observed: append(append([]Observed{}, all...), old, oldData, adopted, foreign(oldData, "billing"))},
		"destroy":        {observed: append(append([]Observed{}, all...), adopted, foreign(old, "billing"), foreign(old, "")), destroy: true},
		"destroy data":   {observed: all, destroy: true, options: Options{Data: true}},
		"destroy shared": {observed: edit(1, func(o *Observed) { o.Users = []string{"role billing-prod", "role other"} }), destroy: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Destroy(set, c.observed, c.options)
			if !c.destroy {
				var err error
				if p, err = New(set, c.observed, c.options); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, filepath.Join("testdata", "plan", strings.ReplaceAll(name, " ", "-")+".txt"), describe(p))
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
