# Written by `slipway export terraform` for retail-api. Write it again after a change of slipway.yaml:
# `slipway aws export terraform --check` compares.

# models, and what jobs read
resource "aws_s3_bucket" "retail_ml" {
  bucket = "retail-ml"

  tags = {
    "slipway:project" = "retail-api"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "retail_ml" {
  bucket = aws_s3_bucket.retail_ml.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "retail_ml" {
  bucket = aws_s3_bucket.retail_ml.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "retail_ml" {
  bucket                  = aws_s3_bucket.retail_ml.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "retail_ml" {
  bucket = aws_s3_bucket.retail_ml.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "SlipwayTLSOnly"
        Effect = "Deny"
        Principal = {
          AWS = "*"
        }
        Action = "s3:*"
        Resource = [
          aws_s3_bucket.retail_ml.arn,
          "${aws_s3_bucket.retail_ml.arn}/*",
        ]
        Condition = {
          Bool = {
            "aws:SecureTransport" = "false"
          }
        }
      },
    ]
  })
}

resource "aws_s3_bucket_lifecycle_configuration" "retail_ml" {
  bucket = aws_s3_bucket.retail_ml.id

  rule {
    id     = "expire jobs/"
    status = "Enabled"

    filter {
      prefix = "jobs/"
    }

    expiration {
      days = 30
    }
  }

  rule {
    id     = "expire tmp/"
    status = "Enabled"

    filter {
      prefix = "tmp/"
    }

    expiration {
      days = 7
    }
  }
}

# state that machines share
resource "aws_s3_bucket" "retail_ml_2" {
  bucket = "retail.ml"

  tags = {
    "slipway:project" = "retail-api"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "retail_ml_2" {
  bucket = aws_s3_bucket.retail_ml_2.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "retail_ml_2" {
  bucket = aws_s3_bucket.retail_ml_2.id

  versioning_configuration {
    status = "Suspended"
  }
}

resource "aws_s3_bucket_public_access_block" "retail_ml_2" {
  bucket                  = aws_s3_bucket.retail_ml_2.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "retail_ml_2" {
  bucket = aws_s3_bucket.retail_ml_2.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "SlipwayTLSOnly"
        Effect = "Deny"
        Principal = {
          AWS = "*"
        }
        Action = "s3:*"
        Resource = [
          aws_s3_bucket.retail_ml_2.arn,
          "${aws_s3_bucket.retail_ml_2.arn}/*",
        ]
        Condition = {
          Bool = {
            "aws:SecureTransport" = "false"
          }
        }
      },
    ]
  })
}

# tokens of GitHub's jobs; others may use it too
data "aws_iam_openid_connect_provider" "token_actions_githubusercontent_com" {
  url = "https://token.actions.githubusercontent.com"
}

# tokens of GitLab's jobs
resource "aws_iam_openid_connect_provider" "gitlab_example_com" {
  url            = "https://gitlab.example.com"
  client_id_list = ["https://gitlab.example.com"]

  tags = {
    "slipway:project" = "retail-api"
  }
}

# what no role of the project may exceed
resource "aws_iam_policy" "retail_api_boundary" {
  name        = "retail-api-boundary"
  path        = "/slipway/"
  description = "At most this (\"all\")"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Pass"
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = "arn:aws:iam::111122223333:role/retail-training"
      },
      {
        Sid      = "NotIAM"
        Effect   = "Deny"
        Action   = "iam:*"
        Resource = "*"
        Condition = {
          StringNotLike = {
            "aws:PrincipalArn" = "arn:aws:iam::111122223333:role/$${aws:username}"
          }
        }
      },
    ]
  })

  tags = {
    "slipway:project" = "retail-api"
  }
}

# training jobs work as it
resource "aws_iam_role" "retail_training" {
  name                 = "retail-training"
  path                 = "/"
  description          = "Training of retail-api"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.retail_api_boundary.arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "sagemaker.amazonaws.com"
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = "111122223333"
          }
        }
      },
    ]
  })

  tags = {
    "slipway:project" = "retail-api"
  }
}

resource "aws_iam_role_policy" "retail_training" {
  name = "slipway"
  role = aws_iam_role.retail_training.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Data"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${aws_s3_bucket.retail_ml.arn}/jobs/*"
      },
    ]
  })
}

# deploys to prod
resource "aws_iam_role" "retail_deploy_prod" {
  name                 = "retail-deploy-prod"
  path                 = "/slipway/"
  description          = "Deploys retail-api to prod"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.retail_api_boundary.arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Federated = data.aws_iam_openid_connect_provider.token_actions_githubusercontent_com.arn
        }
        Action = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud"           = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:repository_id" = "123"
            "token.actions.githubusercontent.com:sub" = [
              "repo:o/r:environment:prod",
              "repo:o@456/r@123:environment:prod",
            ]
          }
          StringLike = {
            "token.actions.githubusercontent.com:ref" = "refs/tags/v*"
          }
        }
      },
    ]
  })

  tags = {
    "slipway:project"     = "retail-api"
    "slipway:environment" = "prod"
  }
}

resource "aws_iam_role_policy" "retail_deploy_prod" {
  name = "slipway"
  role = aws_iam_role.retail_deploy_prod.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:CompleteLayerUpload",
          "ecr:InitiateLayerUpload",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = "arn:aws:ecr:ap-southeast-1:111122223333:repository/mlops/retail-api"
      },
      {
        Sid      = "Pass"
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = aws_iam_role.retail_training.arn
        Condition = {
          StringEquals = {
            "iam:PassedToService" = "sagemaker.amazonaws.com"
          }
        }
      },
    ]
  })
}

# images of releases
resource "aws_ecr_repository" "mlops_retail_api" {
  name                 = "mlops/retail-api"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  tags = {
    "slipway:project" = "retail-api"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_ecr_lifecycle_policy" "mlops_retail_api" {
  repository = aws_ecr_repository.mlops_retail_api.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "untagged images; those of releases have tags"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = 14
        }
        action = {
          type = "expire"
        }
      },
    ]
  })
}

# versions of the model
resource "aws_sagemaker_model_package_group" "retail_models" {
  model_package_group_name        = "retail-models"
  model_package_group_description = "Models of retail-api"

  tags = {
    "slipway:project" = "retail-api"
  }

  lifecycle {
    prevent_destroy = true
  }
}

# logs of runs
resource "aws_cloudwatch_log_group" "slipway_retail" {
  name              = "/slipway/retail"
  retention_in_days = 90

  tags = {
    "slipway:project" = "retail-api"
  }

  lifecycle {
    prevent_destroy = true
  }
}

# who is told of releases
resource "aws_sns_topic" "retail_releases" {
  name = "retail-releases"

  tags = {
    "slipway:project" = "retail-api"
  }
}

# people who approve models
resource "aws_iam_policy" "retail_api_approver" {
  name = "retail-api-approver"
  path = "/"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Told"
        Effect   = "Allow"
        Action   = "sns:Subscribe"
        Resource = aws_sns_topic.retail_releases.arn
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "${aws_cloudwatch_log_group.slipway_retail.arn}:log-stream:*"
      },
    ]
  })

  tags = {
    "slipway:project" = "retail-api"
  }
}

# what the service itself may do
resource "aws_eks_pod_identity_association" "mlops_retail_cluster_mlops_retail_api" {
  cluster_name    = "mlops-retail-cluster"
  namespace       = "mlops"
  service_account = "retail-api"
  role_arn        = aws_iam_role.retail_training.arn

  tags = {
    "slipway:project"     = "retail-api"
    "slipway:environment" = "prod"
  }
}

# the role's group in the cluster
resource "aws_eks_access_entry" "mlops_retail_cluster_arn_aws_iam_111122223333_role_slipway_retail_deploy_prod" {
  cluster_name      = "mlops-retail-cluster"
  principal_arn     = aws_iam_role.retail_deploy_prod.arn
  kubernetes_groups = ["slipway:mlops"]

  tags = {
    "slipway:project"     = "retail-api"
    "slipway:environment" = "prod"
  }
}
