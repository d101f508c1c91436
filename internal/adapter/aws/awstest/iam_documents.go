package awstest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

func malformed(format string, args ...any) error {
	return refuse("MalformedPolicyDocument", format, args...)
}

// length counts a document's characters as IAM's quotas do.
func length(document string) int {
	var b bytes.Buffer
	if json.Compact(&b, []byte(document)) != nil {
		return len(document)
	}
	return b.Len()
}

var sid = regexp.MustCompile(`^[0-9A-Za-z]*$`)

// parseDocument reads a policy as IAM does.
func parseDocument(text string) (Policy, error) {
	p, err := ParsePolicy(text)
	if err != nil {
		return p, malformed("Syntax errors in policy. (%v)", err)
	}
	if len(p.Statement) == 0 {
		return p, malformed("Syntax errors in policy. (no statement)")
	}
	seen := map[string]bool{}
	for _, s := range p.Statement {
		switch {
		case !sid.MatchString(s.Sid):
			return p, malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
		case s.Sid != "" && seen[s.Sid]:
			return p, malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		seen[s.Sid] = true
		for _, action := range s.Action {
			if action != "*" && !strings.Contains(action, ":") {
				return p, malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
			}
		}
	}
	return p, nil
}

// checkRights checks a policy of an identity.
func checkRights(text string) error {
	p, err := parseDocument(text)
	if err != nil {
		return err
	}
	for _, s := range p.Statement {
		if len(s.Principal) > 0 {
			return malformed("Policy document should not specify a principal.")
		}
		for _, resource := range s.Resource {
			if resource != "*" && len(strings.SplitN(resource, ":", 6)) != 6 {
				return malformed("Resource %s must be in ARN format or \"*\".", resource)
			}
		}
	}
	return nil
}

// checkTrust checks a trust policy: its size, whom it names, and that it does not let in
// everybody who has an account at a shared issuer.
func (c *Cloud) checkTrust(text string) (Policy, error) {
	p, err := parseDocument(text)
	if err != nil {
		return p, err
	}
	if length(text) > maxTrust {
		return p, refuse("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d", maxTrust)
	}
	for _, s := range p.Statement {
		if len(s.Resource) > 0 {
			return p, malformed("Has prohibited field Resource")
		}
		for _, action := range s.Action {
			if !slices.Contains([]string{"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"}, action) {
				return p, malformed("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
		for kind, names := range s.Principal {
			for _, name := range names {
				if !c.isPrincipal(kind, name) {
					return p, malformed("Invalid principal in policy: %q:%q", kind, name)
				}
			}
		}
	}
	return p, p.checkShared()
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// isPrincipal reports whether a trust policy can name someone: of the account, those that
// exist, and new roles only once they are known everywhere.
func (c *Cloud) isPrincipal(kind, name string) bool {
	switch kind {
	case "Service":
		return strings.HasSuffix(name, ".amazonaws.com")
	case "Federated":
		parts := strings.SplitN(name, ":", 6)
		return len(parts) == 6 && (strings.HasPrefix(parts[5], "oidc-provider/") || strings.HasPrefix(parts[5], "saml-provider/")) || !strings.Contains(name, ":") && strings.Contains(name, ".")
	case "AWS":
		resource, own := strings.CutPrefix(name, c.iamARN(""))
		switch {
		case name == "*" || accountID.MatchString(name):
			return true
		case !own:
			return strings.HasPrefix(name, "arn:aws:iam::") || strings.HasPrefix(name, "arn:aws:sts::")
		case strings.HasPrefix(resource, "role/"):
			r, ok := c.role(name)
			return ok && !c.clock().Before(r.usable)
		case strings.HasPrefix(resource, "user/"):
			return c.isUser(name)
		}
		return resource == "root"
	}
	return false
}

func (c *Cloud) isUser(arn string) bool {
	for _, p := range c.principals {
		if p.ARN == arn {
			return true
		}
	}
	return false
}

// sharedIssuers sign tokens for everybody. Source: IAM's user guide, "Identity-provider
// controls for shared OIDC providers".
var sharedIssuers = []string{"token.actions.githubusercontent.com", "gitlab.com", "app.terraform.io"}

// checkShared refuses what lets in tokens of a shared issuer whatever their subject.
func (p Policy) checkShared() error {
	for _, s := range p.Statement {
		for _, issuer := range sharedIssuers {
			names := func(provider string) bool { return strings.HasSuffix(provider, ":oidc-provider/"+issuer) }
			if s.Effect == "Allow" && slices.ContainsFunc(s.Principal["Federated"], names) && !s.testsSubject(issuer) {
				return malformed("The trust of %s must evaluate its required claim: %s:sub", issuer, issuer)
			}
		}
	}
	return nil
}

// testsSubject reports whether a condition that an absent or any subject would not meet
// is there.
func (s Statement) testsSubject(issuer string) bool {
	for operator, keys := range s.Condition {
		values := keys[issuer+":sub"]
		name := base(operator)
		if len(values) > 0 && !slices.Contains(values, "*") && (name == "StringEquals" || name == "StringLike" || name == "StringEqualsIgnoreCase") && !strings.HasPrefix(operator, "ForAllValues:") && !strings.HasSuffix(operator, "IfExists") {
			return true
		}
	}
	return false
}
