# What a plan holds, without an account: `terraform init -backend=false && terraform test`.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  image_tag = "0.1.0"
  emails    = ["ops@example.org"]
}

run "nobody_gets_in" {
  command = plan

  assert {
    condition     = output.repository_urls != null
    error_message = "There are repositories for the images."
  }
}

run "a_tag_that_says_nothing_is_refused" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "a_parameter_without_a_slash_is_refused" {
  command = plan

  variables {
    tunnel_token_parameter = "tunnel-token"
  }

  expect_failures = [var.tunnel_token_parameter]
}
