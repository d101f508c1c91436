package awstest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/iamdata"
)

// CheckDocument returns what is wrong with a policy by AWS's Service Authorization
// Reference: actions that there are not, resources that are of no kind that the actions
// have, and condition keys that an action does not have, so that the statement never
// holds. A policy of an identity, a trust or a resource may be checked.
func CheckDocument(text string) (all []error) {
	p, err := ParsePolicy(text)
	if err != nil {
		return []error{err}
	}
	data, err := iamdata.Load()
	if err != nil {
		return []error{err}
	}
	for i, s := range p.Statement {
		c := check{data: data, where: fmt.Sprintf("statement %d (%s)", i, s.Sid), statement: s}
		c.run()
		all = append(all, c.wrong...)
	}
	return all
}

// check is the check of a statement.
type check struct {
	data      iamdata.Data
	where     string
	statement Statement
	wrong     []error
}

// known is an action of the reference, with its service.
type known struct {
	iamdata.Action
	service string
}

func (c *check) fault(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf(c.where+": "+format, args...))
}

func (c *check) run() {
	var all []known
	for _, pattern := range c.statement.Action {
		if pattern == "*" {
			return // everything may be about anything
		}
		matching := c.actions(pattern)
		if len(matching) == 0 {
			c.fault("AWS has no action %s", pattern)
			continue
		}
		all = append(all, matching...)
		c.fits(pattern, matching)
		c.keys(pattern, matching)
	}
	for _, resource := range c.statement.Resource {
		if len(all) > 0 && !slices.ContainsFunc(all, func(k known) bool { return c.isOf(k, resource) }) {
			c.fault("no action of it has resources such as %s", resource)
		}
	}
}

// actions are those that a pattern matches.
func (c *check) actions(pattern string) (all []known) {
	service, name, _ := strings.Cut(pattern, ":")
	for key, a := range c.data.Services[strings.ToLower(service)].Actions {
		if like(strings.ToLower(name), key) {
			all = append(all, known{a, strings.ToLower(service)})
		}
	}
	return all
}

// fits requires a resource that one of the actions may be about.
func (c *check) fits(pattern string, matching []known) {
	if len(c.statement.Resource) == 0 { // a trust
		return
	}
	for _, k := range matching {
		if slices.ContainsFunc(c.statement.Resource, func(resource string) bool { return c.isOf(k, resource) }) {
			return
		}
	}
	if len(matching) == 1 && len(matching[0].Resources) == 0 {
		c.fault("%s needs the resource *: it is about no resource", pattern)
		return
	}
	c.fault("%s is about none of %s", pattern, strings.Join(c.statement.Resource, ", "))
}

func (c *check) isOf(k known, resource string) bool {
	if resource == "*" {
		return true
	}
	return slices.ContainsFunc(k.Resources, func(kind string) bool {
		return overlaps(c.data.Services[k.service].Resources[kind].ARN, resource)
	})
}

// keys requires that one of the actions has every condition key.
func (c *check) keys(pattern string, matching []known) {
	for _, keys := range c.statement.Condition {
		for key := range keys {
			if !isGlobal(key) && !slices.ContainsFunc(matching, func(k known) bool { return c.hasKey(k, key) }) {
				c.fault("%s has no condition key %s", pattern, key)
			}
		}
	}
}

func (c *check) hasKey(k known, key string) bool {
	allowed := slices.Clone(k.Keys)
	for _, kind := range k.Resources {
		allowed = append(allowed, c.data.Services[k.service].Resources[kind].Keys...)
	}
	if k.service == "sts" {
		allowed = append(allowed, c.claims()...)
	}
	return slices.ContainsFunc(allowed, func(template string) bool {
		return like(strings.ToLower(placeholder.ReplaceAllString(template, "*")), strings.ToLower(key))
	})
}

// claims are the condition keys that every issuer of tokens has. Source: IAM's user guide,
// "Available keys for AWS OIDC federation".
func (c *check) claims() (all []string) {
	for _, provider := range c.statement.Principal["Federated"] {
		if _, issuer, ok := strings.Cut(provider, ":oidc-provider/"); ok {
			for _, claim := range standardClaims {
				all = append(all, issuer+":"+claim)
			}
		}
	}
	return all
}

var standardClaims = []string{"sub", "aud", "amr", "azp", "email", "oaud"}

// globalKeys are those of every request. Source: IAM's user guide, "AWS global condition
// context keys"; those of tags are only where an action has them.
var globalKeys = []string{
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principaltag/*", "aws:principaltype", "aws:principalisawsservice", "aws:username", "aws:userid",
	"aws:requestedregion", "aws:securetransport", "aws:currenttime", "aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid",
	"aws:resourceaccount", "aws:resourceorgid", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:viaawsservice", "aws:multifactorauthpresent", "aws:multifactorauthage", "aws:useragent", "aws:tokenissuetime",
}

func isGlobal(key string) bool {
	return slices.ContainsFunc(globalKeys, func(pattern string) bool { return like(pattern, strings.ToLower(key)) })
}
