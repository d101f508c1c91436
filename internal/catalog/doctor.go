package catalog

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/aws/doctor"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// awsChecks are the checks of a place in AWS.
func awsChecks(at extension.AWSChecks) []port.Check {
	look := func(ctx context.Context, host, path string) ([]string, error) {
		return ecr.NewRegistries(session.Options{}, nil).CheckRepository(ctx, host, path, false)
	}
	return doctor.Checks(at, look, session.Options{})
}
