"""What is unusual: pure functions over counts of five minutes. They read no clock and no database."""
