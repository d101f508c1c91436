package awstest

import "slices"

func (p *iamPolicy) describeVersion(v policyVersion, full bool) map[string]any {
	d := map[string]any{"VersionId": v.id, "IsDefaultVersion": v.id == p.standard, "CreateDate": at(v.created)}
	if full {
		d["Document"] = quoted(v.document)
	}
	return d
}

func (c *Cloud) createPolicyVersion(call *Call) (any, error) {
	p, err := c.policyOf(call, true)
	if err != nil {
		return nil, err
	}
	document := call.text("PolicyDocument")
	if err := checkManaged(document); err != nil {
		return nil, err
	}
	if len(p.versions) >= maxVersions {
		return nil, refuse("LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	v := p.add(document, c.clock())
	if call.Input["SetAsDefault"] == true {
		p.standard = v.id
	}
	return map[string]any{"PolicyVersion": p.describeVersion(v, false)}, c.refreshIAM()
}

// versionOf returns the policy and the index of the version that the input names.
func (c *Cloud) versionOf(call *Call, changed bool) (*iamPolicy, int, error) {
	p, err := c.policyOf(call, changed)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(p.versions, func(v policyVersion) bool { return v.id == call.text("VersionId") })
	if i < 0 {
		return nil, 0, noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.arn, call.text("VersionId"))
	}
	return p, i, nil
}

func (c *Cloud) getPolicyVersion(call *Call) (any, error) {
	p, i, err := c.versionOf(call, false)
	if err != nil {
		return nil, err
	}
	return map[string]any{"PolicyVersion": p.describeVersion(p.versions[i], true)}, nil
}

func (c *Cloud) listPolicyVersions(call *Call) (any, error) {
	p, err := c.policyOf(call, false)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, v := range slices.Backward(p.versions) { // newest first
		all = append(all, p.describeVersion(v, false))
	}
	return iamPage(c, call, "Versions", all)
}

func (c *Cloud) deletePolicyVersion(call *Call) (any, error) {
	p, i, err := c.versionOf(call, true)
	if err != nil {
		return nil, err
	}
	if p.versions[i].id == p.standard {
		return nil, refuse("DeleteConflict", "Cannot delete the default version of a policy.")
	}
	p.versions = slices.Delete(p.versions, i, i+1)
	return map[string]any{}, nil
}

func (c *Cloud) setDefaultPolicyVersion(call *Call) (any, error) {
	p, i, err := c.versionOf(call, true)
	if err != nil {
		return nil, err
	}
	p.standard = p.versions[i].id
	return map[string]any{}, c.refreshIAM()
}
