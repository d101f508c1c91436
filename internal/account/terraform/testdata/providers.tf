# Written by `slipway export terraform` for retail-api. Write it again after a change of slipway.yaml:
# `slipway aws export terraform --check` compares.

terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region              = "ap-southeast-1"
  allowed_account_ids = ["111122223333"]
}
