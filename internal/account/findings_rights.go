package account

import (
	"slices"
	"strings"
)

// rights looks at what a policy allows.
func (f *finder) rights(policy, text string) {
	for _, s := range f.read(policy, text) {
		if s.deny {
			continue
		}
		f.allowed = append(f.allowed, s)
		f.wildcards(policy, s)
		f.passes(policy, s)
		f.beyond(policy, s)
	}
}

func (f *finder) wildcards(policy string, s foundStatement) {
	if len(s.notActions) > 0 {
		f.add(policy, s, "it allows everything but "+list(s.notActions), "new actions of AWS are allowed by themselves", "Name the actions that are used: slipway aws policy prints them.")
	}
	for _, a := range s.actions {
		if strings.ContainsAny(a, "*?") {
			f.add(policy, s, "it allows "+a, "that is more than any run calls, and grows with AWS", "Name the actions that are used: slipway aws policy prints them.")
		}
	}
	var bounded []string
	for _, a := range s.actions {
		if !f.hasNoResource(a) {
			bounded = append(bounded, a)
		}
	}
	for _, r := range s.resources {
		if len(bounded) > 0 && isWide(r) {
			f.add(policy, s, "it allows "+list(bounded)+" on "+r, "that is what others in the account have, too", "Name the ARNs that are used: slipway aws policy prints them.")
		}
	}
}

// hasNoResource reports whether the action takes "*" only: those of the project's own
// policies do where AWS has no narrower one.
func (f *finder) hasNoResource(action string) bool {
	if strings.EqualFold(action, "ecr:GetAuthorizationToken") {
		return true
	}
	for _, w := range f.wanted {
		if slices.Equal(w.Resources, []string{"*"}) && slices.ContainsFunc(w.Actions, func(a string) bool { return strings.EqualFold(a, action) }) {
			return true
		}
	}
	return false
}

// isWide reports whether an ARN reaches beyond one resource, and what is below or named
// after it in one account: a wildcard for the account, or at the beginning of the name.
func isWide(arn string) bool {
	if arn == "*" {
		return true
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return false
	}
	_, name, ok := strings.Cut(parts[5], "/")
	if !ok || parts[2] == "s3" {
		name = parts[5]
	}
	return strings.ContainsAny(parts[4], "*?") || strings.HasPrefix(name, "*") || parts[2] == "s3" && wideBucket(parts[5])
}

// wideBucket: a bucket's name is everybody's, so a pattern of names is of buckets that
// others may make.
func wideBucket(resource string) bool {
	bucket, _, _ := strings.Cut(resource, "/")
	return strings.ContainsAny(bucket, "*?")
}

// passes looks for roles that any service may get.
func (f *finder) passes(policy string, s foundStatement) {
	if s.allows("iam:PassRole") && len(s.values("iam:PassedToService")) == 0 {
		f.add(policy, s, "it allows iam:PassRole without iam:PassedToService", "any service may be given the role, such as a machine whose shell is open", "Test iam:PassedToService by StringEquals: sagemaker.amazonaws.com.")
	}
}

// beyond names the actions that no run of the project calls.
func (f *finder) beyond(policy string, s foundStatement) {
	var more []string
	for _, a := range s.actions {
		if !strings.ContainsAny(a, "*?") && !slices.ContainsFunc(f.wanted, func(w Statement) bool { return containsFold(w.Actions, a) }) {
			more = append(more, a)
		}
	}
	if len(more) > 0 {
		f.add(policy, s, "it allows "+list(more), "no run of the project calls that", "Remove it.")
	}
}

// missing names what a run needs and no statement allows. A role that is not the project's
// is asked only for what belongs to what it allows.
func (f *finder) missing() {
	for _, w := range f.wanted {
		for _, a := range w.Actions {
			if f.isAllowed(a) {
				continue
			}
			switch {
			case a == "iam:PassRole" && (f.isAllowed("sagemaker:CreateTrainingJob") || f.isAllowed("sagemaker:CreateProcessingJob")):
				f.add("its policies", foundStatement{}, "they lack iam:PassRole on "+list(w.Resources), "SageMaker refuses every job, because it is made with that role", "Add it, with iam:PassedToService: sagemaker.amazonaws.com.")
			case a == "sagemaker:AddTags" && (f.isAllowed("sagemaker:CreateTrainingJob") || f.isAllowed("sagemaker:CreateProcessingJob")):
				f.add("its policies", foundStatement{}, "they lack sagemaker:AddTags on "+list(w.Resources), "SageMaker refuses jobs that are made with tags, as slipway.yaml has them", "Add it, or remove tags.")
			}
		}
	}
}

func (f *finder) isAllowed(action string) bool {
	return slices.ContainsFunc(f.allowed, func(s foundStatement) bool { return s.allows(action) })
}

func containsFold(all []string, text string) bool {
	return slices.ContainsFunc(all, func(a string) bool { return strings.EqualFold(a, text) })
}

func list(all []string) string { return strings.Join(all, ", ") }
