package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ecr looks at the repository of the images.
func (p *place) ecr(ctx context.Context) port.CheckResult {
	drift, err := p.repository(ctx, p.at.RepositoryHost, p.at.RepositoryPath)
	name := p.at.RepositoryHost + "/" + p.at.RepositoryPath
	switch {
	case fault.Is(err, fault.NotFound) && p.at.CreateImages:
		return ok(name + " does not exist yet: the first run creates it")
	case fault.Is(err, fault.NotFound):
		return failed(name+" does not exist in "+p.at.Region, fault.HintOf(err))
	case err != nil:
		return unknown(ctx, err)
	case len(drift) > 0:
		return port.CheckResult{State: port.CheckWarning, Seen: strings.Join(drift, "; "), Mend: fmt.Sprintf(
			"aws ecr put-image-tag-mutability --region %[1]s --repository-name %[2]s --image-tag-mutability IMMUTABLE && aws ecr put-image-scanning-configuration --region %[1]s --repository-name %[2]s --image-scanning-configuration scanOnPush=true",
			p.at.Region, p.at.RepositoryPath)}
	}
	return ok(name + ": tags stay, pushes are scanned")
}

// group looks at the package group of the models. One that is missing is made by the
// first run that may.
func (p *place) group(ctx context.Context) port.CheckResult {
	s, err := p.open(ctx)
	if err != nil {
		return unknown(ctx, err)
	}
	_, err = sagemaker.NewFromConfig(s.Config).DescribeModelPackageGroup(ctx, &sagemaker.DescribeModelPackageGroupInput{ModelPackageGroupName: &p.at.Group})
	var api smithy.APIError
	switch {
	case err == nil:
		return ok(p.at.Group)
	case errors.As(err, &api) && strings.Contains(api.ErrorMessage(), "does not exist"):
		return port.CheckResult{State: port.CheckWarning, Seen: p.at.Group + " does not exist in " + p.at.Region + ": the first run creates it, if its role may",
			Mend: fmt.Sprintf("aws sagemaker create-model-package-group --region %s --model-package-group-name %s", p.at.Region, p.at.Group)}
	}
	return unknown(ctx, s.Explain(ctx, "look for the package group "+p.at.Group, err))
}

// cluster looks at the control plane as AWS shows it.
func (p *place) cluster(ctx context.Context) port.CheckResult {
	s, err := p.open(ctx)
	if err != nil {
		return unknown(ctx, err)
	}
	var out struct {
		Cluster struct {
			Status, Version string
			AccessConfig    struct{ AuthenticationMode string }
		}
	}
	err = p.eks(ctx, s, "DescribeCluster", "", nil, &out)
	if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "ResourceNotFoundException" {
		return failed(fmt.Sprintf("%s has no cluster %s", p.at.Region, p.at.Cluster),
			fmt.Sprintf("check aws.region and the name: `aws eks list-clusters --region %s`", p.at.Region))
	}
	if err != nil {
		err = s.Explain(ctx, "find the cluster "+p.at.Cluster, err)
		if fault.Is(err, fault.Denied) && ctx.Err() == nil {
			return failed(err.Error(), fault.HintOf(err))
		}
		return unknown(ctx, err)
	}
	k := out.Cluster
	if k.Status != "ACTIVE" && k.Status != "UPDATING" {
		return failed(p.at.Cluster+" is not active", fmt.Sprintf("aws eks wait cluster-active --region %s --name %s", p.at.Region, p.at.Cluster))
	}
	if k.AccessConfig.AuthenticationMode == "CONFIG_MAP" {
		return failed(p.at.Cluster+" takes no access entries: its authentication mode is CONFIG_MAP",
			fmt.Sprintf("aws eks update-cluster-config --region %s --name %s --access-config authenticationMode=API_AND_CONFIG_MAP", p.at.Region, p.at.Cluster))
	}
	return ok(fmt.Sprintf("%s, Kubernetes %s", p.at.Cluster, k.Version))
}

// eks reads what is below the cluster's path.
func (p *place) eks(ctx context.Context, s *session.Session, operation, path string, query url.Values, out any) error {
	return s.REST(ctx, session.API{Name: "eks"}, operation, http.MethodGet, "/clusters/"+url.PathEscape(p.at.Cluster)+path, query, nil, out)
}

// addon is one of EKS that deliveries use.
type addon struct{ name, title, without string }

func addons() []addon {
	return []addon{
		{"eks-pod-identity-agent", "Pod Identity agent", "a service gets no role by Pod Identity"},
		{"amazon-cloudwatch-observability", "Container Insights", "CloudWatch has no metrics and logs of the pods"},
	}
}

// maxAddonPages bounds the pages of a list; a cluster has a dozen add-ons.
const maxAddonPages = 10

func endless(what string) error {
	return fault.New(fault.Unavailable, "the list of %s has no end", what)
}

func (p *place) addon(ctx context.Context, a addon) port.CheckResult {
	there, err := p.addons.get(ctx, p.listAddons)
	switch {
	case err != nil:
		return unknown(ctx, err)
	case there[a.name]:
		return ok(a.name)
	}
	return port.CheckResult{State: port.CheckWarning, Seen: "no add-on " + a.name + ": " + a.without + ", unless it was installed otherwise",
		Mend: fmt.Sprintf("aws eks create-addon --region %s --cluster-name %s --addon-name %s", p.at.Region, p.at.Cluster, a.name)}
}

func (p *place) listAddons(ctx context.Context) (map[string]bool, error) {
	s, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	there, query := map[string]bool{}, url.Values{}
	for range maxAddonPages {
		var out struct {
			Addons    []string
			NextToken string
		}
		if err := p.eks(ctx, s, "ListAddons", "/addons", query, &out); err != nil {
			return nil, s.Explain(ctx, "list the add-ons of "+p.at.Cluster, err)
		}
		for _, name := range out.Addons {
			there[name] = true
		}
		if out.NextToken == "" {
			return there, nil
		}
		query.Set("nextToken", out.NextToken)
	}
	return nil, endless("add-ons of " + p.at.Cluster)
}

// quota is one of Service Quotas.
type quota struct {
	QuotaCode, QuotaName string
	Value                float64
}

// maxQuotaPages bounds the pages of 100: SageMaker has some 2,500 quotas.
const maxQuotaPages = 60

func (p *place) quota(ctx context.Context, wanted extension.Quota) port.CheckResult {
	all, err := p.quotas.get(ctx, func(ctx context.Context) (map[string]quota, error) { return p.listQuotas(ctx, wanted.Service) })
	if err != nil {
		return unknown(ctx, err)
	}
	q, found := all[wanted.Name]
	if !found {
		return port.CheckResult{State: port.CheckUnknown, Seen: "Service Quotas has none of that name in " + p.at.Region + ": is it an instance type there?",
			Mend: fmt.Sprintf("aws service-quotas list-service-quotas --region %s --service-code %s", p.at.Region, wanted.Service)}
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	if q.Value < wanted.Needs {
		return failed(fmt.Sprintf("%s in %s, a job needs %s", number(q.Value), p.at.Region, number(wanted.Needs)),
			fmt.Sprintf("aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %s", p.at.Region, wanted.Service, q.QuotaCode, number(wanted.Needs)))
	}
	return ok(number(q.Value) + " at a time")
}

func (p *place) listQuotas(ctx context.Context, service string) (map[string]quota, error) {
	s, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	all, next := map[string]quota{}, ""
	for range maxQuotaPages {
		in := map[string]any{"ServiceCode": service, "MaxResults": 100}
		if next != "" {
			in["NextToken"] = next
		}
		var out struct {
			Quotas    []quota
			NextToken string
		}
		err := s.Call(ctx, session.API{Name: "servicequotas", Target: "ServiceQuotasV20190624", Version: "1.1"}, "ListServiceQuotas", in, &out)
		if err != nil {
			return nil, s.Explain(ctx, "list the quotas of "+service, err)
		}
		for _, q := range out.Quotas {
			all[q.QuotaName] = q
		}
		if next = out.NextToken; next == "" {
			return all, nil
		}
	}
	return nil, endless("quotas of " + service)
}
