package render

import "strings"

// validate rejects an object without an identity or with a malformed structure, and
// drops fields that only a cluster sets.
func (o object) validate() error {
	for _, field := range []string{"apiVersion", "kind"} {
		if o.stringField(field) == "" {
			return o.errorf("the object has no %s", field).Hint("every object needs apiVersion, kind and metadata.name")
		}
	}
	meta, err := o.metadata()
	if err != nil {
		return err
	}
	if meta["generateName"] != nil {
		return o.errorf("%s has metadata.generateName: its name would differ on every deploy", o.stringField("kind")).
			Hint("give it a fixed metadata.name, so that the next release updates the same object")
	}
	if name, _ := meta["name"].(string); name == "" || len(name) > maxNameLength || strings.ContainsAny(name, "/ \t\n") {
		return o.errorf("%s has no valid metadata.name", o.stringField("kind")).Hint("use a string of at most %d characters, without spaces and slashes", maxNameLength)
	}
	if _, ok := meta["namespace"].(string); meta["namespace"] != nil && !ok {
		return o.errorf("metadata.namespace of %s is not a string", o.displayName()).Hint("put it in quotes")
	}
	if owners, _ := meta["ownerReferences"].([]any); meta["ownerReferences"] != nil && (owners == nil || len(owners) > 0) {
		return o.errorf("%s has metadata.ownerReferences: it belongs to another object in one particular cluster", o.displayName()).
			Hint("remove them: the owner recreates the object")
	}
	o.dropServerFields(meta)
	if err := o.validateStringMaps(meta, "metadata"); err != nil {
		return err
	}
	return o.validatePodTemplate()
}

func (o object) metadata() (map[string]any, error) {
	meta, ok := o.body["metadata"].(map[string]any)
	if !ok {
		return nil, o.errorf("%s has no metadata", o.stringField("kind")).Hint("every object needs apiVersion, kind and metadata.name")
	}
	return meta, nil
}

func (o object) dropServerFields(meta map[string]any) {
	delete(o.body, "status")
	for _, k := range []string{"resourceVersion", "uid", "managedFields", "creationTimestamp", "generation", "selfLink", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"} {
		delete(meta, k)
	}
	if meta["namespace"] == nil || meta["namespace"] == "" {
		delete(meta, "namespace")
	}
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, "kubectl.kubernetes.io/last-applied-configuration") // may hold a Secret's values
	}
}

// validateStringMaps validates that labels and annotations are strings.
func (o object) validateStringMaps(meta map[string]any, path string) error {
	for _, field := range []string{"labels", "annotations"} {
		if meta[field] == nil {
			delete(meta, field)
			continue
		}
		entries, ok := meta[field].(map[string]any)
		if !ok {
			return o.errorf("%s.%s of %s is not a map", path, field, o.displayName())
		}
		for k, v := range entries {
			if _, ok := v.(string); !ok {
				return o.errorf("%s.%s of %s: %s is not a string", path, field, o.displayName(), k).Hint("put the value in quotes")
			}
		}
		if len(entries) == 0 {
			delete(meta, field)
		}
	}
	return nil
}

// validatePodTemplate validates the parts of a pod template that later steps access.
func (o object) validatePodTemplate() error {
	t, ok := podTemplate(o.body)
	if !ok {
		return nil
	}
	spec, ok := t["spec"].(map[string]any)
	if !ok {
		return o.errorf("the pod template of %s has no spec", o.displayName()).Hint("it needs spec.containers")
	}
	if t["metadata"] == nil {
		t["metadata"] = map[string]any{}
	}
	meta, ok := t["metadata"].(map[string]any)
	if !ok {
		return o.errorf("the pod template's metadata of %s is not a map", o.displayName())
	}
	delete(meta, "creationTimestamp")
	if err := o.validateStringMaps(meta, "the pod template's metadata"); err != nil {
		return err
	}
	if err := o.validateLists(spec, "pod template", "containers", "initContainers", "ephemeralContainers", "volumes", "imagePullSecrets"); err != nil {
		return err
	}
	for _, c := range allContainers(spec) {
		if err := o.validateContainer(c); err != nil {
			return err
		}
	}
	return nil
}

func (o object) validateContainer(c map[string]any) error {
	name, _ := c["name"].(string)
	if name == "" {
		return o.errorf("a container of %s has no name", o.displayName())
	}
	if _, ok := c["image"].(string); c["image"] != nil && !ok {
		return o.errorf("the image of container %s of %s is not a string", name, o.displayName())
	}
	if _, ok := c["resources"].(map[string]any); c["resources"] != nil && !ok {
		return o.errorf("the resources of container %s of %s are not a map", name, o.displayName())
	}
	return o.validateLists(c, "container "+name, "env", "envFrom", "volumeMounts")
}

// validateLists validates that the given fields, where present, are lists of maps.
func (o object) validateLists(parent map[string]any, what string, fields ...string) error {
	for _, f := range fields {
		if parent[f] == nil {
			delete(parent, f)
			continue
		}
		l, ok := parent[f].([]any)
		if !ok || len(mapItems(l)) != len(l) {
			return o.errorf("%s of %s of %s is not a list of objects", f, what, o.displayName()).Hint("each entry starts with `- name:`")
		}
	}
	return nil
}
