// Package ssm has a client of the AWS Systems Manager that finds nothing.
package ssm

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Client finds nothing.
type Client struct{}

// NewFromConfig returns a client.
func NewFromConfig(aws.Config) *Client { return &Client{} }

// DescribeInstanceInformationInput selects instances.
type DescribeInstanceInformationInput struct {
	Filters []types.InstanceInformationStringFilter
}

// DescribeInstanceInformationOutput is a page of instances.
type DescribeInstanceInformationOutput struct {
	InstanceInformationList []types.InstanceInformation
}

// DescribeInstanceInformationPaginator has no pages.
type DescribeInstanceInformationPaginator struct{}

// NewDescribeInstanceInformationPaginator returns a paginator.
func NewDescribeInstanceInformationPaginator(*Client, *DescribeInstanceInformationInput) *DescribeInstanceInformationPaginator {
	return &DescribeInstanceInformationPaginator{}
}

// HasMorePages returns false.
func (*DescribeInstanceInformationPaginator) HasMorePages() bool { return false }

// NextPage returns an empty page.
func (*DescribeInstanceInformationPaginator) NextPage(context.Context) (*DescribeInstanceInformationOutput, error) {
	return &DescribeInstanceInformationOutput{}, nil
}
