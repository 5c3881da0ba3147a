//! How each task is done, one file a task.

mod check_app;
mod check_error_logs;
mod delete_app;
mod dispatch_notifications;
mod evaluate_rules;
mod generate_daily_summary;
mod ingest_logs;
mod make_reports;
mod noop;
mod recount_summaries;
mod renew_summaries;
mod rotate_partitions;
mod send_notifications;
mod test_channel;
