package awstest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// identity is a user or a role with policies. One without is allowed everything: tests
// of a service need none.
type identity struct {
	policies []Policy
	boundary *Policy
	texts    Texts
}

// Texts are policies as they were written, with the boundary unless it is empty.
type Texts struct {
	Policies []string
	Boundary string
}

// SetPolicies gives a user or a role ("user/alice", "role/deploy-prod") policies, and a
// boundary unless it is empty. Every call of theirs has to be allowed from now on.
func (c *Cloud) SetPolicies(name, boundary string, policies ...string) error {
	i := identity{texts: Texts{slices.Clone(policies), boundary}}
	if err := i.parse(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	role, ok := strings.CutPrefix(name, "role/")
	if !ok {
		c.identities[name] = i
		return nil
	}
	return c.setPolicies(role, i.texts)
}

// setPolicies makes them the inline ones of a role, which may not be there yet.
func (c *Cloud) setPolicies(role string, texts Texts) error {
	r := c.iam.roles[role]
	if r == nil {
		r = c.newRole(role)
	}
	r.limited, r.inline, r.boundary = true, map[string]string{}, ""
	for i, text := range texts.Policies {
		r.inline[fmt.Sprintf("policy-%02d", i+1)] = text
	}
	if texts.Boundary != "" {
		r.boundary = c.addPolicy(c.iamARN("policy/"+role+"-boundary"), texts.Boundary).arn
	}
	return c.refreshIAM()
}

// parse reads the texts.
func (i *identity) parse() error {
	for _, text := range i.texts.Policies {
		p, err := ParsePolicy(text)
		if err != nil {
			return err
		}
		i.policies = append(i.policies, p)
	}
	if i.texts.Boundary == "" {
		return nil
	}
	p, err := ParsePolicy(i.texts.Boundary)
	if err != nil {
		return fmt.Errorf("boundary: %w", err)
	}
	i.boundary = &p
	return nil
}

// Judgement is a decision about an access.
type Judgement struct {
	Principal string
	Access    Access
	Decision  Decision
	Texts     Texts // that decided
}

// Judgements returns all decisions so far.
func (c *Cloud) Judgements() []Judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.judgements)
}

// authorize judges what a principal needs, with c.mu held.
func (c *Cloud) authorize(p Principal, needs []Access, code string) error {
	name := p.ARN[strings.LastIndex(p.ARN, ":")+1:]
	if role := p.Role(); role != "" {
		name = "role/" + role
	}
	i, ok := c.identities[name]
	if !ok {
		return nil
	}
	for _, need := range needs {
		need.Keys = c.withGlobals(need.Keys, p, i.texts)
		d := Decide(i.policies, i.boundary, need)
		c.judgements = append(c.judgements, Judgement{p.ARN, need, d, i.texts})
		if d == Allowed {
			continue
		}
		why := "no identity-based policy allows the " + need.Action + " action"
		if d == Refused {
			why = "an explicit deny"
		}
		return &Error{Code: code, Status: http.StatusForbidden, Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because %s", p.ARN, need.Action, need.Resource, why)}
	}
	return nil
}

// withGlobals adds those condition keys of every request that the policies ask for.
func (c *Cloud) withGlobals(keys map[string][]string, p Principal, by Texts) map[string][]string {
	arn := p.ARN
	if r := c.iam.roles[p.Role()]; r != nil {
		arn = r.arn(c.Account)
	}
	all := maps.Clone(keys)
	if all == nil {
		all = map[string][]string{}
	}
	policies := strings.Join(by.Policies, "") + by.Boundary
	for key, value := range map[string]string{
		"aws:PrincipalArn": arn, "aws:PrincipalAccount": c.Account, "aws:ResourceAccount": c.Account, "aws:RequestedRegion": c.Region, "aws:SecureTransport": "true",
	} {
		if strings.Contains(policies, `"`+key+`"`) {
			all[key] = []string{value}
		}
	}
	if len(all) == 0 {
		return keys
	}
	return all
}

// authorizeCall judges a call of a control plane.
func (c *Cloud) authorizeCall(call *Call) error {
	code := "AccessDeniedException"
	if strings.HasSuffix(call.Service.Metadata.Protocol, "query") || call.Service.Name == "s3" {
		code = "AccessDenied"
	}
	return c.authorize(call.Principal, c.accessOf(call), code)
}

// accessOf returns what a call needs. A service that says nothing of an operation needs
// the action of its name, on everything.
func (c *Cloud) accessOf(call *Call) []Access {
	if needs, ok := c.needs[call.Service.Name]; ok {
		if all, known := needs(call); known {
			return all
		}
	}
	return []Access{{Action: call.Service.SigningName() + ":" + call.Operation.Name, Resource: "*"}}
}

// text returns a member of the input, or "".
func (call *Call) text(name string) string {
	value, _ := call.Input[name].(string)
	return value
}

// on is what most operations need: the action of their name on one resource.
func (call *Call) on(resource string) []Access {
	return []Access{{Action: call.Service.SigningName() + ":" + call.Operation.Name, Resource: resource}}
}

func (c *Cloud) stsNeeds(call *Call) ([]Access, bool) {
	switch call.Operation.Name {
	case "AssumeRole":
		return call.on(call.text("RoleArn")), true
	case "GetCallerIdentity", "AssumeRoleWithWebIdentity":
		return nil, true // they need no permission
	}
	return nil, false
}

// ecrNeeds: tags that come with a repository need an action of their own.
func (c *Cloud) ecrNeeds(call *Call) ([]Access, bool) {
	if arn := call.text("resourceArn"); arn != "" {
		return c.tagged(call, arn, ""), true
	}
	if name := call.text("repositoryName"); name != "" {
		return c.tagged(call, c.arn("ecr", "repository/"+name), "TagResource"), true
	}
	names, _ := call.Input["repositoryNames"].([]any)
	var all []Access
	for _, name := range names {
		all = append(all, call.on(c.arn("ecr", fmt.Sprint("repository/", name)))...)
	}
	return all, len(all) > 0
}

// tagged is what an operation on a resource needs, with the keys of tags; tags that come
// with its creation need the tagging action too, if there is one.
func (c *Cloud) tagged(call *Call, arn, tagging string) []Access {
	all := call.on(arn)
	all[0].Keys = c.withTags(map[string][]string{}, call, arn)
	if tagging != "" && len(requestTags(call)) > 0 {
		all = append(all, Access{Action: call.Service.SigningName() + ":" + tagging, Resource: arn, Keys: c.withTags(map[string][]string{}, call, arn)})
	}
	return all
}

func (c *Cloud) snsNeeds(call *Call) ([]Access, bool) {
	switch name := call.text("Name"); {
	case call.text("TopicArn") != "":
		return c.tagged(call, call.text("TopicArn"), ""), true
	case call.text("ResourceArn") != "":
		return c.tagged(call, call.text("ResourceArn"), ""), true
	case name != "":
		return c.tagged(call, c.arn("sns", name), "TagResource"), true
	}
	return nil, false
}

// imageActions are what requests to the data plane of ECR need, by what they name.
var imageActions = map[string]map[string]string{
	"manifests": {http.MethodGet: "BatchGetImage", http.MethodHead: "BatchGetImage", http.MethodPut: "PutImage"},
	"referrers": {http.MethodGet: "BatchGetImage"}, // ListImageReferrers is no action
	"tags":      {http.MethodGet: "ListImages"},
	"blobs": {
		http.MethodGet: "GetDownloadUrlForLayer", http.MethodHead: "BatchCheckLayerAvailability",
		http.MethodPost: "InitiateLayerUpload", http.MethodPatch: "UploadLayerPart", http.MethodPut: "CompleteLayerUpload",
	},
}

// authorizeImage judges a request to the data plane.
func (c *Cloud) authorizeImage(p Principal, method, repository, kind string) error {
	action, ok := imageActions[kind][method]
	if !ok {
		action = method + " " + kind // which no policy allows
	}
	return c.authorize(p, []Access{{Action: "ecr:" + action, Resource: c.arn("ecr", "repository/"+repository)}}, "DENIED")
}
