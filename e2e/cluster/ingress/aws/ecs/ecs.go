// Package ecs has a client of Amazon ECS that finds nothing.
package ecs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Client finds nothing.
type Client struct{}

// NewFromConfig returns a client.
func NewFromConfig(aws.Config) *Client { return &Client{} }

// DescribeTasksInput names tasks.
type DescribeTasksInput struct {
	Cluster *string
	Tasks   []string
}

// DescribeTasksOutput lists tasks.
type DescribeTasksOutput struct{ Tasks []types.Task }

// DescribeTasks finds nothing.
func (*Client) DescribeTasks(context.Context, *DescribeTasksInput) (*DescribeTasksOutput, error) {
	return &DescribeTasksOutput{}, nil
}

// DescribeTaskDefinitionInput names a definition.
type DescribeTaskDefinitionInput struct{ TaskDefinition *string }

// DescribeTaskDefinitionOutput is a definition.
type DescribeTaskDefinitionOutput struct{ TaskDefinition *types.TaskDefinition }

// DescribeTaskDefinition returns an empty definition.
func (*Client) DescribeTaskDefinition(context.Context, *DescribeTaskDefinitionInput) (*DescribeTaskDefinitionOutput, error) {
	return &DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{}}, nil
}

// DescribeContainerInstancesInput names instances.
type DescribeContainerInstancesInput struct {
	Cluster            *string
	ContainerInstances []string
}

// DescribeContainerInstancesOutput lists instances.
type DescribeContainerInstancesOutput struct{ ContainerInstances []types.ContainerInstance }

// DescribeContainerInstances finds nothing.
func (*Client) DescribeContainerInstances(context.Context, *DescribeContainerInstancesInput) (*DescribeContainerInstancesOutput, error) {
	return &DescribeContainerInstancesOutput{}, nil
}

// ListClustersInput selects clusters.
type ListClustersInput struct{}

// ListClustersOutput is a page of clusters.
type ListClustersOutput struct{ ClusterArns []string }

// ListTasksInput selects tasks.
type ListTasksInput struct {
	Cluster       *string
	DesiredStatus types.DesiredStatus
}

// ListTasksOutput is a page of tasks.
type ListTasksOutput struct{ TaskArns []string }

// Paginator has no pages.
type Paginator[T any] struct{}

// HasMorePages returns false.
func (Paginator[T]) HasMorePages() bool { return false }

// NextPage returns an empty page.
func (Paginator[T]) NextPage(context.Context) (*T, error) { return new(T), nil }

// NewListClustersPaginator returns a paginator.
func NewListClustersPaginator(*Client, *ListClustersInput) Paginator[ListClustersOutput] {
	return Paginator[ListClustersOutput]{}
}

// NewListTasksPaginator returns a paginator.
func NewListTasksPaginator(*Client, *ListTasksInput) Paginator[ListTasksOutput] {
	return Paginator[ListTasksOutput]{}
}
