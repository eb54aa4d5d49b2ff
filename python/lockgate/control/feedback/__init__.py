"""Feedback: what callers report and suggest, the answers to it, and what they think of pages."""
