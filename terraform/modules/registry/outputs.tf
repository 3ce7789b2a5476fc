output "repository_urls" {
  description = "Target of the Dockerfile → repository to push it to."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.repository_url }
}

output "repository_arns" {
  description = "Target of the Dockerfile → ARN of its repository, for who may pull."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.arn }
}
