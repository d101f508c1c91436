package awstest

import (
	"strings"
	"time"
)

// Role is a role that can be assumed.
type Role struct {
	Name        string
	Trusted     []string      // ARNs of principals that may assume it
	WebIdentity *WebIdentity  // tokens that may assume it; nil: none
	Trust       *Policy       // decides instead of the two, see AddTrustedRole
	MaxSession  time.Duration // 0: an hour
}

// AddRole makes a role.
func (c *Cloud) AddRole(r Role) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addRole(r)
}

// addRole keeps the policies that a role has already: see SetPolicies.
func (c *Cloud) addRole(r Role) *iamRole {
	if r.MaxSession == 0 {
		r.MaxSession = time.Hour
	}
	known := c.iam.roles[r.Name]
	if known == nil {
		known = c.newRole(r.Name)
	}
	known.Role, known.trust = r, ""
	return known
}

type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

type assumedRole struct {
	AssumedRoleID string `json:"AssumedRoleId"`
	Arn           string
}

func (c *Cloud) sts() map[string]handler {
	return map[string]handler{
		"GetCallerIdentity":         c.getCallerIdentity,
		"AssumeRole":                c.assumeRole,
		"AssumeRoleWithWebIdentity": c.assumeRoleWithWebIdentity,
	}
}

func (c *Cloud) getCallerIdentity(call *Call) (any, error) {
	return map[string]string{"Account": c.Account, "Arn": call.Principal.ARN, "UserId": call.Principal.AccessKey}, nil
}

type assumeInput struct {
	RoleArn, RoleSessionName string
	WebIdentityToken         string
	DurationSeconds          int
}

func (c *Cloud) assumeRole(call *Call) (any, error) {
	var in assumeInput
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	role, ok := c.role(in.RoleArn)
	if !ok || c.clock().Before(role.usable) || !c.trusts(role.Role, call.Principal) {
		return nil, &Error{Code: "AccessDenied", Message: "User: " + call.Principal.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + in.RoleArn, Status: 403}
	}
	chained := role.Role
	if call.Principal.Role() != "" {
		chained.MaxSession = min(role.MaxSession, time.Hour)
	}
	return c.assume(chained, in)
}

func (c *Cloud) trusts(role Role, p Principal) bool {
	if role.Trust != nil {
		return role.Trust.trusts("AWS", c.principalNames(p), Access{Action: "sts:AssumeRole"})
	}
	for _, arn := range role.Trusted {
		if arn == p.ARN || p.Role() != "" && strings.HasSuffix(arn, ":role/"+p.Role()) {
			return true
		}
	}
	return false
}

// role returns a role by its ARN.
func (c *Cloud) role(arn string) (*iamRole, bool) {
	role := c.iam.roles[arn[strings.LastIndex(arn, "/")+1:]]
	return role, role != nil && role.arn(c.Account) == arn
}

func (c *Cloud) assume(role Role, in assumeInput) (any, error) {
	d := time.Duration(in.DurationSeconds) * time.Second
	if d == 0 {
		d = time.Hour
	}
	if d > role.MaxSession {
		return nil, refuse("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	p := c.addSession(role.Name, in.RoleSessionName, d)
	return struct {
		Credentials     credentials
		AssumedRoleUser assumedRole
	}{
		credentials{p.AccessKey, p.SecretKey, p.SessionToken, p.Expires.UTC()},
		assumedRole{"AROA0000000000000000:" + in.RoleSessionName, p.ARN},
	}, nil
}
