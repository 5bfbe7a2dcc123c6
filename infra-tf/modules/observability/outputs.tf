output "dashboard_name" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "alarm_topic_arn" {
  description = "Topic that alarms are sent to; null without alarms."
  value       = one(aws_sns_topic.alarms[*].arn)
}

output "alarm_names" {
  description = "Names of all alarms."
  value       = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name]
}

output "deployment_alarm_names" {
  description = "Names of the alarms that take back a deployment."
  value       = [for key, alarm in local.alarms : "${var.name}-${key}" if alarm.deployment]
}

output "log_query_names" {
  description = "Names of the saved queries."
  value       = [for query in aws_cloudwatch_query_definition.this : query.name]
}
