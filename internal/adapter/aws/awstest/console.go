package awstest

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	static "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
)

// consoleTimeout bounds what a person does.
const consoleTimeout = 30 * time.Second

// Console is SageMaker as a person uses it who is not Slipway.
type Console struct {
	Who    Principal
	cloud  *Cloud
	client *sagemaker.Client
}

// Console returns what a new user sees, by the API like everybody else.
func (s *Server) Console(c *Cloud, user string) (*Console, error) {
	client, err := s.Client()
	if err != nil {
		return nil, err
	}
	who := c.AddUser(user)
	return &Console{who, c, sagemaker.NewFromConfig(aws.Config{
		Region: c.Region, HTTPClient: client, RetryMaxAttempts: 10, Credentials: static.NewStaticCredentialsProvider(who.AccessKey, who.SecretKey, ""),
	})}, nil
}

// Decide sets the approval of a version: Approved, Rejected or PendingManualApproval.
func (p *Console) Decide(group string, version int, status, why string) error {
	ctx, cancel := context.WithTimeout(context.Background(), consoleTimeout)
	defer cancel()
	_, err := p.client.UpdateModelPackage(ctx, &sagemaker.UpdateModelPackageInput{
		ModelPackageArn:     aws.String(p.cloud.arn("sagemaker", fmt.Sprintf("model-package/%s/%d", group, version))),
		ModelApprovalStatus: types.ModelApprovalStatus(status), ApprovalDescription: &why,
	})
	return err
}

// Register adds a version with an archive in S3 and no metrics, approved already.
func (p *Console) Register(group, archive string) error {
	ctx, cancel := context.WithTimeout(context.Background(), consoleTimeout)
	defer cancel()
	_, err := p.client.CreateModelPackage(ctx, &sagemaker.CreateModelPackageInput{
		ModelPackageGroupName: &group, ModelApprovalStatus: types.ModelApprovalStatusApproved,
		InferenceSpecification: &types.InferenceSpecification{Containers: []types.ModelPackageContainerDefinition{{ModelDataUrl: &archive}}},
	})
	return err
}
