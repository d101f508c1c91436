package design

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// readsOf leaves the actions that read.
func readsOf(all []account.Statement) []account.Statement {
	var out []account.Statement
	for _, s := range all {
		var reads []string
		for _, a := range s.Actions {
			if isRead(a) {
				reads = append(reads, a)
			}
		}
		if len(reads) == 0 {
			continue
		}
		var needs []account.Need
		for _, n := range s.Needs {
			if n.Call == "" || slices.Contains(reads, n.Call) {
				needs = append(needs, n)
			}
		}
		s.Actions, s.Needs = reads, needs
		out = append(out, s)
	}
	return out
}

func isRead(action string) bool {
	_, verb, _ := strings.Cut(action, ":")
	for _, prefix := range []string{"Describe", "List", "Get", "BatchGet", "BatchCheck"} {
		if strings.HasPrefix(verb, prefix) {
			return true
		}
	}
	return false
}

// addPeople makes the policies of people: of those who approve models, and of those who
// look at what runs.
func (d *designer) addPeople() {
	if m := d.project.Model; m != nil && d.isCommon() {
		if s, ok := m.Registry.Section.(extension.ApprovalUser); ok {
			d.addPolicy("approver", "for people who approve models, apart from CI", account.Merge(s.ApproverRights(d.place(""))...))
		}
	}
	var reads []account.Statement
	for _, arn := range slices.Sorted(maps.Keys(d.roles)) {
		if r := d.roles[arn]; r.service == "" {
			reads = append(reads, readsOf(r.rights)...)
		}
	}
	reads = slices.DeleteFunc(account.Merge(reads...), func(s account.Statement) bool {
		return slices.ContainsFunc(s.Needs, func(n account.Need) bool {
			return strings.Contains(n.Step, "train") && !strings.Contains(n.Step, "verify")
		})
	})
	if len(reads) > 0 {
		d.addPolicy("reader", "for people who look at what runs, and verify it", reads)
	}
}

func (d *designer) addPolicy(name, why string, all []account.Statement) {
	name = d.newName(name)
	d.add(account.Resource{
		Kind: account.KindPolicy, Name: name, ARN: d.global("iam", "policy/"+name), Why: why,
		Spec: account.Policy{Description: "Of " + d.project.Service + ": " + why + ".", Document: account.Document{Statements: all}},
	})
}

// addBoundary makes the ceiling of all roles of the project: the actions that any of them
// needs, in this account, and PassRole as exactly as it is given. Whoever may write the
// policies of these roles gets no further than that.
func (d *designer) addBoundary() {
	if len(d.roles) == 0 {
		return
	}
	byPlace := map[string]*account.Statement{}
	var exact []account.Statement
	for _, arn := range slices.Sorted(maps.Keys(d.roles)) {
		for _, s := range d.roles[arn].rights {
			if slices.Contains(s.Actions, "iam:PassRole") {
				s.Sid, s.Needs = "PassRoles", []account.Need{{Step: "the boundary", Why: "because jobs get their role, and no other"}}
				exact = append(exact, s)
				continue
			}
			for _, resource := range s.Resources {
				ceiling := ceilingOf(resource)
				b := byPlace[ceiling]
				if b == nil {
					b = &account.Statement{
						Resources: []string{ceiling}, Needs: []account.Need{{Step: "the boundary", Why: "because a role of the project needs these actions there"}},
					}
					byPlace[ceiling] = b
				}
				b.Actions = append(b.Actions, s.Actions...)
			}
		}
	}
	var all []account.Statement
	for _, place := range slices.Sorted(maps.Keys(byPlace)) {
		s := *byPlace[place]
		s.Sid = sidOf(place)
		all = append(all, s)
	}
	d.addPolicy("boundary", "the most that a role of the project may ever do", account.Merge(append(all, exact...)...))
}

// ceilingOf widens a resource to all of its service in the account and region; buckets stay
// as they are, because their ARNs name no account.
func ceilingOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return arn
	}
	if parts[2] == "s3" {
		bucket, _, deeper := strings.Cut(parts[5], "/")
		if deeper {
			bucket += "/*"
		}
		return strings.Join(parts[:5], ":") + ":" + bucket
	}
	return strings.Join(parts[:5], ":") + ":*"
}

func sidOf(place string) string {
	parts := strings.SplitN(place, ":", 6)
	if len(parts) != 6 {
		return "WithoutResources"
	}
	if strings.HasSuffix(place, "/*") {
		return "ObjectsOfS3"
	}
	return "In" + strings.ToUpper(parts[2][:1]) + parts[2][1:]
}

// addPods gives the pods of the service a role that reads the model.
func (d *designer) addPods(env delivery.Environment, cluster, namespace string) {
	name, m, parts := d.project.AWS.ServiceAccount, d.project.In(env).Model, d.options.Kinds.AWS
	if name == "" || m == nil || parts.PodsModel == nil {
		return
	}
	at := d.place(env)
	all := parts.PodsModel(at, m.Registry.Section)
	if len(all) == 0 {
		return
	}
	r := d.role(d.global("iam", "role/"+d.newName(string(env), "pods")))
	r.description, r.why, r.environment = "Reads the model of "+d.project.Service+" in "+string(env)+".", "what the service's own pods may do", env
	r.service, r.rights = "pods.eks.amazonaws.com", all
	if issuer := d.options.ClusterIssuers[cluster]; issuer != "" {
		r.trust = []account.Statement{account.TrustServiceAccount(d.global("iam", "oidc-provider/"+issuer), issuer, namespace, name)}
		d.add(account.Resource{
			Kind: account.KindProvider, Name: issuer, ARN: d.global("iam", "oidc-provider/"+issuer), Shared: true, Why: "pods of the cluster on Fargate",
			Spec: account.Provider{URL: issuer, Audiences: []string{account.STSAudience}},
		})
		return
	}
	r.trust = []account.Statement{account.TrustPods(d.options.Account, at.ARN("eks", "cluster/"+cluster))}
	d.add(account.Resource{
		Kind: account.KindPodIdentity, Name: cluster + "/" + namespace + "/" + name, Environment: env, Why: "the role of the service's own pods",
		Spec: account.PodIdentity{Cluster: cluster, Namespace: namespace, ServiceAccount: name, Role: r.arn},
	})
}
