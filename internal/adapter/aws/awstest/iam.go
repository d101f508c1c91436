package awstest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// iam is what IAM remembers. STS assumes the same roles, and every call is judged by
// the same policies.
type iam struct {
	roles     map[string]*iamRole     // by name
	policies  map[string]*iamPolicy   // managed ones, by ARN
	providers map[string]*iamProvider // by ARN
	issuers   map[string]*Issuer      // whose keys AWS can fetch, by URL
	delay     time.Duration           // until a new role is known everywhere
	page      int                     // entries of a page at most
}

// iamRole is a role as IAM keeps it.
type iamRole struct {
	Role
	path, id, description string
	trust                 string // the document; empty: written from the members of Role
	created, usable       time.Time
	inline                map[string]string // documents by name
	attached              []string          // ARNs
	boundary              string            // ARN; empty: none
	limited               bool              // it has the rights of its policies; otherwise all
}

func (c *Cloud) newIAM() {
	c.iam = iam{roles: map[string]*iamRole{}, policies: map[string]*iamPolicy{}, providers: map[string]*iamProvider{}, issuers: map[string]*Issuer{}, page: 100}
	for name, document := range awsPolicies {
		c.addPolicy("arn:aws:iam::aws:policy/"+name, document)
	}
}

// awsPolicies are some of AWS's own; AddManagedPolicy makes others.
var awsPolicies = map[string]string{
	"AdministratorAccess":                 `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`,
	"AmazonEC2ContainerRegistryPullOnly":  `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage"], "Resource": "*"}]}`,
	"AmazonEC2ContainerRegistryPowerUser": `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"], "Resource": "*"}]}`,
}

// AddIssuer lets AWS fetch the keys of an issuer of tokens. An account takes its tokens
// once it has a provider for it.
func (c *Cloud) AddIssuer(i *Issuer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.iam.issuers[i.URL] = i
}

// DelayRoles makes roles that are created from now on unknown to the rest of AWS for d:
// nobody can assume them, and no policy or service can name them, as IAM is eventually
// consistent. IAM itself knows them at once.
func (c *Cloud) DelayRoles(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.iam.delay = d
}

// PageIAM bounds the pages of IAM's lists, by default 100 entries, as IAM may at any time.
func (c *Cloud) PageIAM(entries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.iam.page = entries
}

func (c *Cloud) iamHandlers() map[string]handler {
	all := map[string]handler{"GetAccountAuthorizationDetails": c.getAccountAuthorizationDetails}
	for _, some := range []map[string]handler{c.iamRoles(), c.iamRolePolicies(), c.iamPolicies(), c.iamProviders()} {
		maps.Copy(all, some)
	}
	return all
}

// iamARN makes the ARN of something of IAM, which has no region.
func (c *Cloud) iamARN(resource string) string { return "arn:aws:iam::" + c.Account + ":" + resource }

func (c *Cloud) iamID(prefix string) string { return fmt.Sprintf("%s%017d", prefix, c.next()) }

func (r *iamRole) arn(account string) string {
	return "arn:aws:iam::" + account + ":role" + r.path + r.Name
}

// iamRoleNamed returns a role by its name.
func (c *Cloud) iamRoleNamed(name string) (*iamRole, error) {
	if r := c.iam.roles[name]; r != nil {
		return r, nil
	}
	return nil, noSuchEntity("The role with name %s cannot be found.", name)
}

func noSuchEntity(format string, args ...any) error {
	return &Error{Code: "NoSuchEntity", Message: fmt.Sprintf(format, args...), Status: 404}
}

// quoted writes a document as IAM sends it.
func quoted(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// at is a time as IAM sends it.
func at(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// iamPage is a page of a list, by the input's Marker and MaxItems.
func iamPage[T any](c *Cloud, call *Call, name string, all []T) (map[string]any, error) {
	var in struct {
		Marker   string
		MaxItems int
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	size, start := c.iam.page, 0
	if in.MaxItems > 0 {
		size = min(size, in.MaxItems)
	}
	if in.Marker != "" {
		if n, err := fmt.Sscanf(in.Marker, "marker-%d", &start); n != 1 || err != nil || start > len(all) {
			return nil, refuse("ValidationError", "Invalid Marker.")
		}
	}
	end := min(start+size, len(all))
	out := map[string]any{"IsTruncated": end < len(all), name: append([]T{}, all[start:end]...)}
	if end < len(all) {
		out["Marker"] = fmt.Sprintf("marker-%d", end)
	}
	return out, nil
}

// refreshIAM makes the policies of roles those by which calls are judged.
func (c *Cloud) refreshIAM() error {
	for name, r := range c.iam.roles {
		if !r.limited {
			continue
		}
		i := identity{}
		for _, inline := range slices.Sorted(maps.Keys(r.inline)) {
			i.texts.Policies = append(i.texts.Policies, r.inline[inline])
		}
		for _, arn := range r.attached {
			i.texts.Policies = append(i.texts.Policies, c.iam.policies[arn].document())
		}
		if r.boundary != "" {
			i.texts.Boundary = c.iam.policies[r.boundary].document()
		}
		if err := i.parse(); err != nil {
			return fmt.Errorf("role %s: %w", name, err)
		}
		c.identities["role/"+name] = i
	}
	return nil
}
