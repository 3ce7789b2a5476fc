output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets with a way to and from the internet: for a load balancer."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets that nothing outside can reach: for a database."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "machine_subnet_ids" {
  description = "Where machines go: public subnets, or private ones behind a NAT gateway."
  value       = [for zone in local.zones : var.nat_gateway ? aws_subnet.private[zone].id : aws_subnet.public[zone].id]
}

output "machines_have_public_addresses" {
  description = "Whether machines need a public address to reach the internet."
  value       = !var.nat_gateway

  depends_on = [aws_route.internet, aws_route.nat]
}
