package awstest

import (
	"fmt"
	"maps"
	"strings"
)

// sagemakerState is what SageMaker remembers. Its jobs and its Model Registry are in
// files of their own.
type sagemakerState struct {
	groups    map[string]*modelGroup
	models    map[string]map[string]any // by name, as they were created
	tokens    map[string]tokenUse       // by operation and ClientToken
	lives     [][]string                // of the versions to come
	hideLists int                       // how many lists lack a new version
}

func newSagemakerState() sagemakerState {
	return sagemakerState{groups: map[string]*modelGroup{}, models: map[string]map[string]any{}, tokens: map[string]tokenUse{}}
}

func (c *Cloud) sagemaker() map[string]handler {
	all := map[string]handler{
		"AddTags": onARN(sagemakerARN, c.tagSageMaker), "DeleteTags": onARN(sagemakerARN, c.dropTagsOf), "ListTags": onARN(sagemakerARN, c.listTagsAs("Tags")),
		"CreateModel": c.createModel, "DescribeModel": c.describeModel,
	}
	maps.Copy(all, c.modelRegistry())
	maps.Copy(all, c.sagemakerJobs())
	return all
}

// sagemakerARN returns the ARN of the input, whatever it names.
func sagemakerARN(call *Call) (string, error) { return call.text("ResourceArn"), nil }

// tagSageMaker adds tags, and returns all of the resource.
func (c *Cloud) tagSageMaker(call *Call, arn string) (any, error) {
	if _, err := c.addTagsOf(call, arn); err != nil {
		return nil, err
	}
	return map[string]any{"Tags": c.tagList(arn)}, nil
}

func (c *Cloud) createModel(call *Call) (any, error) {
	name := fmt.Sprint(call.Input["ModelName"])
	if c.ml.models[name] != nil {
		return nil, refuse("ValidationException", "Cannot create already existing model %q.", c.arn("sagemaker", "model/"+name))
	}
	containers, _ := call.Input["Containers"].([]any)
	if primary := call.Input["PrimaryContainer"]; primary != nil {
		containers = append(containers, primary)
	}
	for _, container := range containers {
		if err := c.checkContainer(container); err != nil {
			return nil, err
		}
	}
	model := maps.Clone(call.Input)
	model["ModelArn"], model["CreationTime"] = c.arn("sagemaker", "model/"+name), c.clock().UTC()
	delete(model, "Tags")
	c.ml.models[name] = model
	return map[string]any{"ModelArn": model["ModelArn"]}, nil
}

func (c *Cloud) describeModel(call *Call) (any, error) {
	name := fmt.Sprint(call.Input["ModelName"])
	if m := c.ml.models[name]; m != nil {
		return m, nil
	}
	return nil, refuse("ValidationException", "Could not find model %q.", c.arn("sagemaker", "model/"+name))
}

// dockerManifest is the only kind of image that SageMaker takes. Source: what it answers
// for others, https://github.com/aws/amazon-sagemaker-feedback/issues/180.
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

// checkContainer refuses an image of this account's registry that is not there, or of a
// kind that SageMaker does not take. Those of other registries are not looked at.
func (c *Cloud) checkContainer(container any) error {
	fields, _ := container.(map[string]any)
	name, _ := fields["Image"].(string)
	path, ok := strings.CutPrefix(name, c.RegistryHost()+"/")
	if !ok {
		return nil
	}
	repository, id := path, imageID{ImageTag: "latest"}
	if at := strings.Index(path, "@"); at >= 0 {
		repository, id = path[:at], imageID{ImageDigest: path[at+1:]}
	} else if colon := strings.LastIndex(path, ":"); colon >= 0 {
		repository, id = path[:colon], imageID{ImageTag: path[colon+1:]}
	}
	r, err := c.repository(repository)
	if err != nil {
		return refuse("ValidationException", "Requested image %s not found.", name)
	}
	image, err := r.find(id)
	digest, stated := fields["ImageDigest"].(string)
	switch {
	case err != nil || image.status() != "ACTIVE":
		return refuse("ValidationException", "Requested image %s not found.", name)
	case image.MediaType != dockerManifest:
		return refuse("ValidationException", "Unsupported manifest media type %s for image %s. Ensure that valid manifest media type is used for specified image.", image.MediaType, name)
	case stated && digest != image.Digest:
		return refuse("ValidationException", "The image %s has the digest %s, not %s.", name, image.Digest, digest)
	}
	return nil
}
