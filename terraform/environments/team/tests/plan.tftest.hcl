# What a plan holds, without an account: `terraform init -backend=false && terraform test`.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"] }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  image_tag = "0.1.0"
  emails    = ["ops@example.org"]
  host_name = "prismata.example.org"
  zone_id   = "Z0000000000000EXAMPLE"

  oidc_client_secret = "not-a-secret"

  oidc = {
    issuer                 = "https://id.example.org"
    authorization_endpoint = "https://id.example.org/oauth2/authorize"
    token_endpoint         = "https://id.example.org/oauth2/token"
    user_info_endpoint     = "https://id.example.org/oauth2/userinfo"
    client_id              = "prismata"
  }
}

run "people_come_by_the_address_with_the_login" {
  command = plan

  assert {
    condition     = output.url == "https://prismata.example.org"
    error_message = "The address is the one with the login."
  }

  assert {
    condition     = output.autoscaling_group_name == "prismata-team-gpu"
    error_message = "The policy that lets a machine leave names this group."
  }
}

run "people_have_roles_where_somebody_gives_them" {
  command = plan

  variables {
    administrators = ["anna@example.org"]
  }

  assert {
    condition     = output.url == "https://prismata.example.org"
    error_message = "The address stays."
  }
}

run "machines_stand_behind_a_nat_gateway_where_asked" {
  command = plan

  variables {
    nat_gateway = true
    zone_count  = 2
  }

  assert {
    condition     = output.url == "https://prismata.example.org"
    error_message = "The address stays."
  }
}

run "a_tag_that_says_nothing_is_refused" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}
