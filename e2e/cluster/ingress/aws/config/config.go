// Package config has no configuration for clients of AWS.
package config

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"
)

// LoadOptions are no options.
type LoadOptions struct{}

// LoadDefaultConfig returns an error: the clients are left out.
func LoadDefaultConfig(context.Context, ...func(*LoadOptions) error) (aws.Config, error) {
	return aws.Config{}, errors.New("AWS is left out of this program")
}

func noOption(*LoadOptions) error { return nil }

// WithLogger is no option.
func WithLogger(logging.Logger) func(*LoadOptions) error { return noOption }

// WithRegion is no option.
func WithRegion(string) func(*LoadOptions) error { return noOption }

// WithEC2IMDSRegion is no option.
func WithEC2IMDSRegion() func(*LoadOptions) error { return noOption }

// WithCredentialsProvider is no option.
func WithCredentialsProvider(aws.CredentialsProvider) func(*LoadOptions) error { return noOption }
