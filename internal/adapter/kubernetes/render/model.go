package render

import (
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Where a model's files are. As a volume, the whole image is mounted and its
// folder named: mounting a folder of an image needs a newer runtime than
// mounting the image does, and an older one would show the wrong files.
const (
	modelVolume    = "slipway-model"
	modelMount     = "/model"
	imageMount     = "/model-image"
	imageModelPath = imageMount + "/model"
	copyTarget     = "/target"
)

// effectiveDelivery is how the model comes into the pods; without an image that holds
// it, there is nothing but to tell the service which one it is.
func effectiveDelivery(d delivery.ModelDelivery, image delivery.Image) delivery.ModelDelivery {
	switch {
	case image == delivery.Image{}:
		return delivery.DeliverByEnv
	case d == "":
		return delivery.DeliverByInit
	}
	return d
}

func (r *renderer) modelPath() string {
	switch effectiveDelivery(r.m.Delivery, r.m.ModelImage) {
	case delivery.DeliverByInit:
		return modelMount
	case delivery.DeliverByVolume:
		return imageModelPath
	}
	return ""
}

// injectModel brings the model's files into the pods that run the service.
func (r *renderer) injectModel() error {
	if r.m.Model == nil {
		return nil
	}
	mode := effectiveDelivery(r.m.Delivery, r.m.ModelImage)
	switch mode {
	case delivery.DeliverByEnv:
		return r.checkEnvDelivery()
	case delivery.DeliverByInit, delivery.DeliverByVolume:
	default:
		return fault.New(fault.Invalid, "there is no way %q to deliver a model", string(mode)).Hint("there is: init, volume, env")
	}
	for _, o := range r.objects {
		containers := containersOf(o.body, r.m.Image)
		if len(containers) == 0 {
			continue
		}
		if err := r.checkMountConflicts(o, containers); err != nil {
			return err
		}
		spec := podSpec(o.body)
		mount := map[string]any{"name": modelVolume, "mountPath": modelMount, "readOnly": true}
		if mode == delivery.DeliverByInit {
			appendTo(spec, "volumes", map[string]any{"name": modelVolume, "emptyDir": map[string]any{}})
			others, _ := spec["initContainers"].([]any)
			spec["initContainers"] = append([]any{r.modelInitContainer()}, others...)
		} else {
			mount["mountPath"] = imageMount
			appendTo(spec, "volumes", map[string]any{"name": modelVolume, "image": map[string]any{
				"reference": r.m.ModelImage.String(), "pullPolicy": "IfNotPresent"}})
		}
		for _, c := range containers {
			appendTo(c, "volumeMounts", deepCopy(mount))
		}
	}
	return nil
}

func (r *renderer) checkEnvDelivery() error {
	if r.m.Delivery == delivery.DeliverByInit || r.m.Delivery == delivery.DeliverByVolume {
		return fault.New(fault.Internal, "model %s is to be delivered, and no image holds it", r.m.Model)
	}
	return nil
}

// checkMountConflicts refuses a pod that uses the model's place for something else.
func (r *renderer) checkMountConflicts(o object, containers []map[string]any) error {
	mountPath := modelMount
	if effectiveDelivery(r.m.Delivery, r.m.ModelImage) == delivery.DeliverByVolume {
		mountPath = imageMount
	}
	for _, c := range containers {
		for _, m := range mapItems(c["volumeMounts"]) {
			p, _ := m["mountPath"].(string)
			if p = path.Clean("/" + p); p == mountPath || strings.HasPrefix(p, mountPath+"/") {
				return o.errorf("container %s of %s mounts a volume at %s, where the model belongs", c["name"], o.displayName(), p).
					Hint("mount it elsewhere, or set model.deliver to env if the service loads the model itself")
			}
		}
	}
	spec := podSpec(o.body)
	for _, v := range append(mapItems(spec["volumes"]), allContainers(spec)...) {
		if v["name"] == modelVolume {
			return o.errorf("%s has a volume or container called %s already", o.displayName(), modelVolume).Hint("give it another name: Slipway brings the model under this one")
		}
	}
	return nil
}

// modelInitContainer is the init container that checks the model and copies it.
func (r *renderer) modelInitContainer() map[string]any {
	digest := string(r.m.Model.Digest)
	return map[string]any{
		"name": modelVolume, "image": r.m.ModelImage.String(),
		"args":         []any{"-from", modelMount, "-to", copyTarget, "-digest", digest},
		"env":          []any{map[string]any{"name": "MODEL_DIGEST", "value": digest}},
		"volumeMounts": []any{map[string]any{"name": modelVolume, "mountPath": copyTarget}},
		"resources": map[string]any{
			"requests": map[string]any{"cpu": "10m", "memory": "32Mi"},
			"limits":   map[string]any{"memory": "64Mi"},
		},
		"securityContext": restrictedSecurityContext(map[string]any{"runAsUser": int64(65532)}),
	}
}

// restrictedSecurityContext is a container's security context with as few rights as there are.
func restrictedSecurityContext(more map[string]any) map[string]any {
	c := map[string]any{
		"runAsNonRoot": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
		"capabilities":   map[string]any{"drop": []any{"ALL"}},
		"seccompProfile": map[string]any{"type": "RuntimeDefault"},
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}
