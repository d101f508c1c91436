package render

import (
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// injectModel adds the model's files to the pods that run the service.
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
		return fault.New(fault.Invalid, "invalid model delivery %q", string(mode)).Hint("use init, volume or env")
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
		return fault.New(fault.Internal, "model %s cannot be delivered: it has no image", r.m.Model)
	}
	return nil
}

// checkMountConflicts rejects a pod that already uses the model's mount path or
// volume name.
func (r *renderer) checkMountConflicts(o object, containers []map[string]any) error {
	mountPath := modelMount
	if effectiveDelivery(r.m.Delivery, r.m.ModelImage) == delivery.DeliverByVolume {
		mountPath = imageMount
	}
	for _, c := range containers {
		for _, m := range mapItems(c["volumeMounts"]) {
			p, _ := m["mountPath"].(string)
			if p = path.Clean("/" + p); p == mountPath || strings.HasPrefix(p, mountPath+"/") {
				return o.errorf("container %s of %s mounts a volume at %s, which is reserved for the model", c["name"], o.displayName(), p).
					Hint("mount it elsewhere, or set model.deliver to env if the service loads the model itself")
			}
		}
	}
	spec := podSpec(o.body)
	for _, v := range append(mapItems(spec["volumes"]), allContainers(spec)...) {
		if v["name"] == modelVolume {
			return o.errorf("%s already has a volume or container named %s", o.displayName(), modelVolume).Hint("rename it: Slipway uses this name for the model")
		}
	}
	return nil
}

// modelInitContainer returns the init container that verifies and copies the model.
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

// restrictedSecurityContext returns a container security context with the fewest
// privileges.
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
