package ecr

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

// imagesSid names all that is called on a repository: one statement, however many parts of
// a run call it.
const imagesSid = "UseImages"

// loginRights are what every use of a registry needs.
func loginRights(step string) account.Statement {
	return account.Statement{
		Sid: "LogInToECR", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []string{"*"},
		Needs: []account.Need{{Step: step, Call: "ecr:GetAuthorizationToken", Why: "for the registry's password, which is of an account and not of a repository"}},
	}
}

// PushRights are what pushing to a repository of the place calls, and making it if asked to.
func PushRights(p extension.AWSPlace, repository string, creates bool) []account.Statement {
	at := []string{p.ARN("ecr", "repository/"+repository)}
	push := account.Statement{
		Sid: imagesSid, Resources: at,
		Actions: []string{
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeRepositories", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
		},
		Needs: []account.Need{
			{Step: "push", Call: "ecr:BatchCheckLayerAvailability", Why: "to upload no layer that already exists"},
			{Step: "push", Call: "ecr:BatchGetImage", Why: "to push nothing twice, and to name both digests of a tag that is taken"},
			{Step: "push", Call: "ecr:CompleteLayerUpload", Why: "to upload layers"},
			{Step: "push", Call: "ecr:DescribeRepositories", Why: "to find out whether the repository exists, and whether its tags can be moved"},
			{Step: "push", Call: "ecr:InitiateLayerUpload", Why: "to upload layers"},
			{Step: "push", Call: "ecr:PutImage", Why: "to name what was uploaded"},
			{Step: "push", Call: "ecr:UploadLayerPart", Why: "to upload layers"},
		},
	}
	if creates {
		push.Actions = append(push.Actions, "ecr:CreateRepository")
		push.Needs = append(push.Needs, account.Need{Step: "push", Call: "ecr:CreateRepository", Why: "because image.create is true"})
	}
	return []account.Statement{loginRights("push"), push}
}

// PullRights are what asking for images in a repository of the place calls.
func PullRights(p extension.AWSPlace, repository string) []account.Statement {
	return []account.Statement{loginRights("deploy"), {
		Sid: imagesSid, Resources: []string{p.ARN("ecr", "repository/"+repository)},
		Actions: []string{"ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"},
		Needs: []account.Need{
			{Step: "deploy", Call: "ecr:BatchGetImage", Why: "to read what was pushed, and what is signed"},
			{Step: "deploy", Call: "ecr:DescribeImages", Why: "to require that the image which a rollback returns to can be pulled"},
			{Step: "deploy", Call: "ecr:GetDownloadUrlForLayer", Why: "to read an image's configuration, and statements about it"},
		},
	}}
}

// ScanRights are what ECR's scanner calls, which uploads an image before it scans it.
func ScanRights(p extension.AWSPlace, repository string) []account.Statement {
	push := PushRights(p, repository, false)
	for i := range push {
		for n := range push[i].Needs {
			push[i].Needs[n].Step = "scan"
		}
	}
	return append(push, account.Statement{
		Sid: imagesSid, Actions: []string{"ecr:DescribeImageScanFindings", "ecr:StartImageScan"}, Resources: []string{p.ARN("ecr", "repository/"+repository)},
		Needs: []account.Need{
			{Step: "scan", Call: "ecr:DescribeImageScanFindings", Why: "to read what was found"},
			{Step: "scan", Call: "ecr:StartImageScan", Why: "where the repository does not scan what is pushed, or scanned it long ago"},
		},
	})
}
