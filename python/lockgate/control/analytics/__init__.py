"""What the recording says over months: Parquet partitioned by time, named queries, and what is unusual."""
