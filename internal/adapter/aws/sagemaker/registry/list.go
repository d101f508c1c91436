package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Limits of a list.
const (
	pageSize = 100 // the most that AWS returns at once
	maxPages = 100
)

// listed is what a list says of a version.
type listed struct {
	group   string
	version int
	created time.Time
	digest  delivery.Digest // of a version of ours; empty: made by others
}

// List returns a page of the versions, the newest first. Without a group, those that
// others made are left out: they may be of anybody in the account.
func (r *Registry) List(ctx context.Context, f port.ModelFilter, page port.Page) ([]delivery.ModelVersion, port.Cursor, error) {
	after, err := parseCursor(page.After)
	if err != nil {
		return nil, "", err
	}
	c, err := r.connect(ctx)
	if err != nil {
		return nil, "", err
	}
	if f.Group != "" && !groupName.MatchString(f.Group) {
		return nil, "", nil // it can't have been registered
	}
	status := types.ModelApprovalStatus("")
	if f.Status == delivery.Approved { // whatever else AWS says, only those can be
		status = types.ModelApprovalStatusApproved
	}
	versions, err := c.list(ctx, f.Group, status)
	if err != nil {
		return nil, "", err
	}
	var out []delivery.ModelVersion
	var last listed
	for _, v := range newestFirst(versions) {
		if after != nil && compareNewest(v, *after) <= 0 || v.digest == "" && f.Group == "" {
			continue
		}
		e, err := r.load(ctx, c, v.group, v.version)
		switch {
		case fault.Is(err, fault.NotFound): // deleted meanwhile, or not adopted
			continue
		case err != nil:
			return nil, "", err
		case f.Status != "" && f.Status != e.Status:
			continue
		case len(out) == page.Size():
			return out, cursorOf(last), nil
		}
		out, last = append(out, e.ModelVersion), v
	}
	return out, "", nil
}

// newestFirst leaves out what was registered twice, after AWS had forgotten the token, and
// orders the rest: the lower number stays.
func newestFirst(versions []listed) []listed {
	slices.SortFunc(versions, func(a, b listed) int { return cmp.Compare(a.version, b.version) })
	seen := map[string]bool{}
	versions = slices.DeleteFunc(versions, func(v listed) bool {
		key := v.group + "\n" + string(v.digest)
		second := v.digest != "" && seen[key]
		seen[key] = true
		return second
	})
	slices.SortFunc(versions, compareNewest)
	return versions
}

func compareNewest(a, b listed) int {
	return -cmp.Or(a.created.Compare(b.created), cmp.Compare(a.version, b.version), cmp.Compare(a.group, b.group))
}

// findDigest returns the version of a group with the artifact, the lowest of several.
func (c *client) findDigest(ctx context.Context, group string, artifact delivery.Digest) (version int, ok bool, err error) {
	versions, err := c.list(ctx, group, "")
	for _, v := range versions {
		if v.digest == artifact && (!ok || v.version < version) {
			version, ok = v.version, true
		}
	}
	return version, ok, err
}

// list returns all versions of a group, or of all groups. A group that is not there has
// none.
func (c *client) list(ctx context.Context, group string, status types.ModelApprovalStatus) (all []listed, err error) {
	in := &sagemaker.ListModelPackagesInput{
		MaxResults: aws.Int32(pageSize), ModelPackageType: types.ModelPackageTypeVersioned, ModelApprovalStatus: status,
		SortBy: types.ModelPackageSortByCreationTime, SortOrder: types.SortOrderDescending,
	}
	what := "list the models in SageMaker"
	if group != "" {
		in.ModelPackageGroupName = &group
		what = "list the models of " + group + " in SageMaker"
	}
	for range maxPages {
		out, err := sagemakerOf(c).ListModelPackages(ctx, in)
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, c.session.Explain(ctx, what, err)
		}
		for _, p := range out.ModelPackageSummaryList {
			all = append(all, listed{
				group: aws.ToString(p.ModelPackageGroupName), version: int(aws.ToInt32(p.ModelPackageVersion)),
				created: aws.ToTime(p.CreationTime).UTC(), digest: digestIn(p.ModelPackageDescription),
			})
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return all, nil
		}
	}
	return nil, fault.New(fault.Exhausted, "%s: there are more than %d", what, pageSize*maxPages).Hint("delete old versions in SageMaker")
}

// cursorOf is the place after a version.
func cursorOf(v listed) port.Cursor {
	return port.Cursor(fmt.Sprintf("%d/%d/%s", v.created.UnixMilli(), v.version, v.group))
}

func parseCursor(c port.Cursor) (*listed, error) {
	if c == "" {
		return nil, nil //nolint:nilnil // the start of the list
	}
	if parts := strings.SplitN(string(c), "/", 3); len(parts) == 3 {
		created, err := strconv.ParseInt(parts[0], 10, 64)
		version, err2 := strconv.Atoi(parts[1])
		if err == nil && err2 == nil {
			return &listed{created: time.UnixMilli(created).UTC(), version: version, group: parts[2]}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "list the models: invalid cursor %q", c)
}
