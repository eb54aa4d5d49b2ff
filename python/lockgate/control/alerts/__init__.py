"""Alerts: what rules make of exceptions and anomalies, and what people do about them."""
