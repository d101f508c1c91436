package opinion_test

// divergence is how another program answers otherwise than the AWS of the tests, and who
// is right.
type divergence struct {
	emulator, operation, differs string
	right                        string // with the source
}

// Who is right. Models are botocore's, references the API references of the services.
const (
	modelSays   = "ours: the model has it as required, or its pattern"
	unsupported = "nobody: the program does not have the operation"
	ownDigest   = "ours: ECR's reference says that imageDigest is the SHA-256 of the manifest; moto makes one of its own, so that no image is found again"
	encryption  = "ours: S3 encrypts all objects since January 2023, and says so (user guide, \"Default encryption FAQ\")"
	checksums   = "ours: S3 computes a checksum of every new object since December 2024, and returns the one that was sent (user guide, \"Checking object integrity\")"
	emptyMap    = "both: the model's minimum is for requests; AWS's own responses have empty tags (reference of DescribeCluster, examples)"
	noPatch     = "ours: UpdateModelPackage changes what it names (reference: CustomerMetadataPropertiesToRemove removes); moto forgets the approval with every other change, so that the version is not listed as approved"
	noScans     = "ours: the model has the operation, which the program does not"
)

var divergences = []divergence{
	{"moto", "ecr.DescribeImages", "400 ImageNotFoundException, not 200", ownDigest},
	{"moto", "ecr.DescribeImages", "200, not 400 ImageNotFoundException", ownDigest + ": it is that of nothing"},
	{"moto", "ecr.DescribeImageScanFindings", "400 ImageNotFoundException, not 200", ownDigest},
	{"moto", "ecr.DescribeImageScanFindings", "400 ImageNotFoundException, not 400 ScanNotFoundException", ownDigest},
	{"moto", "ecr.StartImageScan", "is not reached", ownDigest},
	{"moto", "eks.DescribeCluster", "sends what the model refuses: cluster.tags: 0 is less than 1", emptyMap},
	{"moto", "s3.PutObject", "lacks ChecksumCRC32, ServerSideEncryption", encryption + "; " + checksums},
	{"moto", "s3.HeadObject", "lacks ServerSideEncryption", encryption},
	{"moto", "s3.GetObject", "lacks ChecksumCRC32, ServerSideEncryption", encryption + "; " + checksums},
	{"moto", "s3.UploadPart", "lacks ChecksumCRC32, ServerSideEncryption", encryption + "; " + checksums},
	{"moto", "s3.CompleteMultipartUpload", "lacks ServerSideEncryption", encryption},
	{"moto", "sagemaker.DescribeModelPackageGroup", "lacks CreatedBy", modelSays},
	{"moto", "sagemaker.DescribeModelPackageGroup", "sends what the model refuses: $: CreatedBy is required", modelSays},
	{"moto", "sagemaker.DescribeModelPackage", "lacks CreatedBy.IamIdentity, ModelPackageName, ModelPackageRegistrationType", "ours: the model has IamIdentity and the type since 2025, and requires the name"},
	{"moto", "sagemaker.DescribeModelPackage", "lacks CreatedBy.IamIdentity, LastModifiedBy.IamIdentity, ModelPackageName, ModelPackageRegistrationType", "ours: as above"},
	{"moto", "sagemaker.DescribeModelPackage", "sends what the model refuses: $: ModelPackageName is required", modelSays},
	{"moto", "sagemaker.DescribeModelPackage", "sends what the model refuses: ModelPackageStatusDetails.ImageScanStatuses[].Name: 93 is more than 63", modelSays + "; moto has the ARN in place of a name"},
	{"moto", "sagemaker.DescribeModelPackage", "sends what the model refuses: ModelPackageStatusDetails.ImageScanStatuses[].Name: does not match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", modelSays},
	{"moto", "sagemaker.DescribeModelPackage", "sends what the model refuses: ModelPackageStatusDetails.ValidationStatuses[].Name: 93 is more than 63", modelSays},
	{"moto", "sagemaker.DescribeModelPackage", "sends what the model refuses: ModelPackageStatusDetails.ValidationStatuses[].Name: does not match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", modelSays},
	{"moto", "sagemaker.ListModelPackages", "lacks ModelPackageSummaryList[].ModelPackageRegistrationType", "ours: the model has it since 2025"},
	{"moto", "sagemaker.ListModelPackages", "lacks ModelPackageSummaryList[].CreationTime, ModelPackageSummaryList[].ModelApprovalStatus, ModelPackageSummaryList[].ModelLifeCycle, ModelPackageSummaryList[].ModelPackageArn, ModelPackageSummaryList[].ModelPackageDescription, ModelPackageSummaryList[].ModelPackageGroupName, ModelPackageSummaryList[].ModelPackageRegistrationType, ModelPackageSummaryList[].ModelPackageStatus, ModelPackageSummaryList[].ModelPackageVersion", noPatch},
	{"moto", "sagemaker.DescribeTrainingJob", "lacks Environment, ResourceConfig.SelectedInstanceCount, ResourceConfig.SelectedInstanceType", "ours: the model has them; without Environment, Slipway takes the job for another one's"},
	{"moto", "sagemaker.DescribeProcessingJob", "lacks Environment, ProcessingResources, ProcessingStartTime", "ours: the model has them"},
	{"moto", "sagemaker.DescribeProcessingJob", "sends what the model refuses: $: ProcessingResources is required", modelSays},
	{"moto", "sagemaker.StopTrainingJob", "500, not 400 ValidationException", unsupported},
	{"moto", "sagemaker.StopProcessingJob", "200, not 400 ValidationException", "ours: a job that has ended can't be stopped (reference: \"Stops a processing job\" of the state InProgress)"},
	{"moto", "cloudwatch.ListAlarmMuteRules", "500, not 200", unsupported},

	{"ministack", "sagemaker.*", "the service is missing: 400", unsupported},
	{"ministack", "ecr.DescribeRepositories", "lacks repositories[].imageScanningConfiguration.scanOnPush", "ours: ECR sends the default, which is false (reference, examples)"},
	{"ministack", "ecr.DescribeImages", "lacks imageDetails[].imageStatus", "ours: the model has it since November 2025"},
	{"ministack", "ecr.DescribeImages", "200, not 400 ImageNotFoundException", "ours: the reference has the error for an image that is named and does not exist. Slipway takes both"},
	{"ministack", "ecr.DescribeImageScanFindings", "400 InvalidAction, not 200", noScans},
	{"ministack", "ecr.DescribeImageScanFindings", "400 InvalidAction, not 400 ScanNotFoundException", noScans},
	{"ministack", "ecr.StartImageScan", "is not reached", noScans},
	{"ministack", "eks.DescribeCluster", "sends what the model refuses: cluster.tags: 0 is less than 1", emptyMap},
	{"ministack", "s3.PutObject", "lacks ChecksumCRC32, ServerSideEncryption", encryption + "; " + checksums},
	{"ministack", "s3.HeadObject", "lacks ServerSideEncryption", encryption},
	{"ministack", "s3.GetObject", "lacks ServerSideEncryption", encryption},
	{"ministack", "s3.UploadPart", "lacks ServerSideEncryption", encryption},
	{"ministack", "s3.CompleteMultipartUpload", "lacks ServerSideEncryption", encryption},
	{"ministack", "cloudwatch.ListAlarmMuteRules", "400 InvalidAction, not 200", unsupported},
}
