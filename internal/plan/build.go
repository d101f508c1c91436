package plan

import (
	"cmp"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

func (pl *planner) tests() ([]string, error) {
	var names []string
	for i, t := range pl.project.Test {
		in, err := pl.commandInputs(fmt.Sprintf("test[%d]", i), t.Inputs, false, t.Python, t.Dir)
		if err != nil {
			return nil, err
		}
		name := "test." + t.Name
		names = append(names, name)
		pl.addCached(step.Spec{Name: name, Kind: step.Test, Timeout: cmp.Or(t.Timeout, testTimeout)}, in, step.TestParams{
			Run: t.Run, Dir: t.Dir, Env: t.Env, Report: t.Report, AllowEmpty: t.AllowEmpty, Python: t.Python.Params(), Box: pl.boxOf(nil),
		})
	}
	return names, nil
}

func (pl *planner) build(tests []string) error {
	image := pl.project.Image
	in, err := pl.inputs("image.build.inputs", image.Build.Inputs, false)
	if err != nil {
		return err
	}
	params := pl.buildParams()
	pl.addCached(step.Spec{Name: buildStep, Kind: step.Build, SkipCache: pl.trigger.Rebuild, Timeout: buildTimeout}, in, params)
	needs := append([]string{buildStep}, tests...)
	if pl.scan() {
		needs = append(needs, scanStep)
	}
	optional, err := pl.addOptional(extension.AfterBuild, []string{buildStep})
	if err != nil {
		return err
	}
	needs = append(needs, optional...)
	pl.add(step.Spec{
		Name: pushStep, Kind: step.Push, Needs: needs, Timeout: pushTimeout, Retries: pushRetries,
		Reason: "uploads missing layers to " + registryOf(image.Repository),
	}, step.PushParams{
		Repository: image.Repository, TagInputs: !params.Reproducible() && !params.NoLookup, Rebuild: pl.trigger.Rebuild, Create: image.Create, Tags: image.Tags,
	})
	return nil
}

// registryOf is where the image goes, in full where it is not on this machine.
func registryOf(repository string) string {
	if host, _ := delivery.SplitRepository(repository); host == "" {
		return "the registry"
	}
	return repository
}

func (pl *planner) buildParams() step.BuildParams {
	params := pl.project.Image.Build.Params
	params.Repository, params.Docker = pl.project.Image.Repository, pl.project.Image.Docker
	if params.Docker && params.Dockerfile != "" {
		params.Platforms = []string{"linux/amd64"}
	}
	// The identity of keyless signatures differs from workflow to workflow: it does
	// not show who pushed an image that the registry has.
	params.NoLookup = pl.project.Sign != nil && pl.project.Sign.Key == "" && !params.Reproducible()
	return params
}
