package awstest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Repository is a repository of ECR. Its images come by the data plane.
type Repository struct {
	Name       string
	Mutability string // empty: IMMUTABLE
	ScanOnPush bool
	images     map[string]*Image

	exclusions []exclusion
	encryption map[string]any // empty: AES256
	lifecycle  string         // a policy; empty: none
	created    time.Time
}

// Image is an image in a repository.
type Image struct {
	Digest, MediaType string
	Tags              []string
	Size              int64
	PushedAt          time.Time
	Status            string // empty: ACTIVE
	Scan              *Scan  // nil: none was begun
}

// AddRepository makes a repository.
func (c *Cloud) AddRepository(r Repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addRepository(r)
}

func (c *Cloud) addRepository(r Repository) *Repository {
	if r.Mutability == "" {
		r.Mutability = "IMMUTABLE"
	}
	r.images, r.created = map[string]*Image{}, c.clock()
	c.repos[r.Name] = &r
	return &r
}

// PutImage adds an image that came otherwise than by the data plane.
func (c *Cloud) PutImage(repository string, image Image) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.repos[repository]
	if r == nil || r.images[image.Digest] != nil {
		return
	}
	image.PushedAt = c.clock()
	r.images[image.Digest] = &image
	if r.ScanOnPush {
		c.scan(r, &image)
	}
}

// Image returns an image as it is now.
func (c *Cloud) Image(repository, digest string) (Image, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.repos[repository]; r != nil && r.images[digest] != nil {
		return *r.images[digest], true
	}
	return Image{}, false
}

// Images returns all images of a repository as they are now.
func (c *Cloud) Images(repository string) (all []Image) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.repos[repository]; r != nil {
		for _, digest := range slices.Sorted(maps.Keys(r.images)) {
			all = append(all, *r.images[digest])
		}
	}
	return all
}

// ChangeImage changes what ECR says of an image: its scan, or its storage class.
func (c *Cloud) ChangeImage(repository, digest string, change func(*Image)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.repos[repository]
	if r == nil || r.images[digest] == nil {
		return fmt.Errorf("awstest: no image %s in %s", digest, repository)
	}
	change(r.images[digest])
	return nil
}

// RegistryHost is the host of the account's images.
func (c *Cloud) RegistryHost() string {
	return c.Account + ".dkr.ecr." + c.Region + ".amazonaws.com"
}

func (c *Cloud) ecr() map[string]handler {
	all := map[string]handler{
		"GetAuthorizationToken":     c.getAuthorizationToken,
		"DescribeRepositories":      c.describeRepositories,
		"CreateRepository":          c.createRepository,
		"DescribeImages":            c.describeImages,
		"DescribeImageScanFindings": c.describeImageScanFindings,
		"StartImageScan":            c.startImageScan,
		"UpdateImageStorageClass":   c.updateImageStorageClass,
	}
	maps.Copy(all, c.ecrSettings())
	return all
}

// tokenLifetime is that of a token for the data plane. Source: GetAuthorizationToken
// in ECR's API reference.
const tokenLifetime = 12 * time.Hour

// imageLogin is whose a password of the data plane is.
type imageLogin struct {
	principal Principal
	expires   time.Time
}

func (c *Cloud) getAuthorizationToken(call *Call) (any, error) {
	password := fmt.Sprintf("ecr-password-%d", c.next())
	expires := c.clock().Add(tokenLifetime)
	c.passwords[password] = imageLogin{call.Principal, expires}
	return map[string]any{"authorizationData": []any{map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
		"expiresAt":          expires.UTC(), "proxyEndpoint": "https://" + c.RegistryHost(),
	}}}, nil
}

func (c *Cloud) describeRepositories(call *Call) (any, error) {
	var in struct{ RepositoryNames []string }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	if in.RepositoryNames == nil {
		in.RepositoryNames = slices.Sorted(maps.Keys(c.repos))
	}
	all := []any{}
	for _, name := range in.RepositoryNames {
		r, err := c.repository(name)
		if err != nil {
			return nil, err
		}
		all = append(all, c.describe(r))
	}
	return map[string]any{"repositories": all}, nil
}

func (c *Cloud) repository(name string) (*Repository, error) {
	if r := c.repos[name]; r != nil {
		return r, nil
	}
	return nil, refuse("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", name, c.Account)
}

func (c *Cloud) describe(r *Repository) map[string]any {
	d := map[string]any{
		"repositoryName": r.Name, "repositoryArn": c.arn("ecr", "repository/"+r.Name), "registryId": c.Account,
		"repositoryUri": c.RegistryHost() + "/" + r.Name, "imageTagMutability": r.Mutability,
		"imageScanningConfiguration": map[string]bool{"scanOnPush": r.ScanOnPush}, "createdAt": r.created.UTC(), "encryptionConfiguration": map[string]any{"encryptionType": "AES256"},
	}
	if r.encryption != nil {
		d["encryptionConfiguration"] = r.encryption
	}
	if len(r.exclusions) > 0 {
		d["imageTagMutabilityExclusionFilters"] = r.exclusions
	}
	return d
}

type imageID struct{ ImageDigest, ImageTag string }

// find returns an image by its digest or tag.
func (r *Repository) find(id imageID) (*Image, error) {
	for _, image := range r.images {
		if (id.ImageDigest == "" || id.ImageDigest == image.Digest) && (id.ImageTag == "" || slices.Contains(image.Tags, id.ImageTag)) {
			return image, nil
		}
	}
	return nil, refuse("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s'", id.ImageDigest, id.ImageTag, r.Name)
}

func (c *Cloud) describeImages(call *Call) (any, error) {
	var in struct {
		RepositoryName string
		ImageIDs       []imageID `json:"imageIds"`
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	r, err := c.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if in.ImageIDs == nil {
		for _, digest := range slices.Sorted(maps.Keys(r.images)) {
			in.ImageIDs = append(in.ImageIDs, imageID{ImageDigest: digest})
		}
	}
	details := []any{}
	for _, id := range in.ImageIDs {
		image, err := r.find(id)
		if err != nil {
			return nil, err
		}
		detail := map[string]any{
			"registryId": c.Account, "repositoryName": r.Name, "imageDigest": image.Digest, "imageManifestMediaType": image.MediaType,
			"imagePushedAt": image.PushedAt.UTC(), "imageSizeInBytes": image.Size, "imageStatus": image.status(),
		}
		if len(image.Tags) > 0 {
			detail["imageTags"] = image.Tags
		}
		details = append(details, detail)
	}
	return map[string]any{"imageDetails": details}, nil
}

func (i *Image) status() string {
	if i.Status == "" {
		return "ACTIVE"
	}
	return i.Status
}

// setTag makes the tag that of the image alone, unless tags of the repository stay.
func (r *Repository) setTag(digest, tag string) error {
	for _, other := range r.images {
		i := slices.Index(other.Tags, tag)
		if i < 0 || other.Digest == digest {
			continue
		}
		if r.immutable(tag) {
			return refuse("ImageTagAlreadyExistsException", "The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, r.Name)
		}
		other.Tags = slices.Delete(other.Tags, i, i+1)
	}
	if image := r.images[digest]; !slices.Contains(image.Tags, tag) {
		image.Tags = append(image.Tags, tag)
	}
	return nil
}

// updateImageStorageClass restores or archives an image. Restoring is not at once: see
// ChangeImage.
func (c *Cloud) updateImageStorageClass(call *Call) (any, error) {
	var in struct {
		RepositoryName     string
		ImageID            imageID `json:"imageId"`
		TargetStorageClass string
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	r, err := c.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	image, err := r.find(in.ImageID)
	if err != nil {
		return nil, err
	}
	image.Status = map[string]string{"STANDARD": "ACTIVATING", "ARCHIVE": "ARCHIVED"}[in.TargetStorageClass]
	return map[string]any{"registryId": c.Account, "repositoryName": r.Name, "imageId": map[string]string{"imageDigest": image.Digest}, "imageStatus": image.Status}, nil
}
