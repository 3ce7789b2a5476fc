output "bucket" {
  description = "Name of the bucket, for PRISMATA_S3_BUCKET."
  value       = aws_s3_bucket.this.bucket
}

output "use_policy_json" {
  description = "What a machine that runs Prismata may do with the bucket."
  value       = data.aws_iam_policy_document.use.json
}
