package resources

import (
	"context"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
)

// Roles implements port.AccountRoles.
func (p role) Roles(ctx context.Context) (all []account.ExistingRole, err error) {
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(known.byName)) {
		one, err := known.existing(known.byName[name])
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// existing is a role with the texts of its policies. Policies of AWS's own are among those
// that were read, as far as they are attached to something.
func (known *roles) existing(d roleDetail) (account.ExistingRole, error) {
	one := account.ExistingRole{Name: d.RoleName, Policies: map[string]string{}}
	trust, err := document(d.AssumeRolePolicyDocument)
	if err != nil {
		return one, err
	}
	one.Trust = string(trust)
	texts := map[string]string{}
	for _, inline := range d.Inline {
		texts[inline.PolicyName] = inline.PolicyDocument
	}
	for _, attached := range d.Attached {
		for _, v := range known.policies[attached.PolicyArn].Versions {
			if v.IsDefaultVersion {
				texts[attached.PolicyName] = v.Document
			}
		}
	}
	for name, text := range texts {
		plain, err := document(text)
		if err != nil {
			return one, err
		}
		one.Policies[name] = string(plain)
	}
	return one, nil
}
