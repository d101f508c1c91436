package awstest

import (
	"fmt"
	"strings"
	"time"
)

// Principal is who calls.
type Principal struct {
	ARN                                string
	AccessKey, SecretKey, SessionToken string
	Expires                            time.Time // zero: never

	roleID string // of the role that was assumed; empty: any
}

// Role returns the name of the role that was assumed, or "".
func (p Principal) Role() string {
	_, name, ok := strings.Cut(p.ARN, ":assumed-role/")
	if !ok {
		return ""
	}
	role, _, _ := strings.Cut(name, "/")
	return role
}

// AddUser makes a user with an access key that never expires.
func (c *Cloud) AddUser(name string) Principal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addPrincipal(fmt.Sprintf("arn:aws:iam::%s:user/%s", c.Account, name), "AKIA", time.Time{})
}

// AddSession makes credentials of a role for a session that ends after d.
func (c *Cloud) AddSession(role, session string, d time.Duration) Principal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addSession(role, session, d)
}

func (c *Cloud) addSession(role, session string, d time.Duration) Principal {
	p := c.addPrincipal(fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", c.Account, role, session), "ASIA", c.clock().Add(d))
	if r := c.iam.roles[role]; r != nil {
		p.roleID = r.id
		c.principals[p.AccessKey] = p
	}
	return p
}

// ended reports whether the role of a session was deleted; one of the same name is another.
func (c *Cloud) ended(p Principal) bool {
	r := c.iam.roles[p.Role()]
	return p.roleID != "" && (r == nil || r.id != p.roleID)
}

func (c *Cloud) addPrincipal(arn, prefix string, expires time.Time) Principal {
	n := c.next()
	p := Principal{
		ARN: arn, AccessKey: fmt.Sprintf("%s%016d", prefix, n), SecretKey: fmt.Sprintf("secret/of/principal/%020d", n), Expires: expires,
	}
	if !expires.IsZero() {
		p.SessionToken = fmt.Sprintf("session-token-%d", n)
	}
	c.principals[p.AccessKey] = p
	return p
}
