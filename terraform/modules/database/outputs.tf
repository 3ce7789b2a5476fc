output "url" {
  description = "For PRISMATA_DATABASE_URL; in no state file."
  value       = "postgresql://prismata:${ephemeral.random_password.this.result}@${aws_db_instance.this.endpoint}/prismata?sslmode=verify-full&sslrootcert=/etc/prismata/certificates/database.pem"
  sensitive   = true
  ephemeral   = true
}

output "identifier" {
  description = "Its name, for alarms and backups."
  value       = aws_db_instance.this.identifier
}

output "ca_url" {
  description = "Where the certificate of its authority is fetched."
  value       = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
}
