"""What the node recorded, rolled up: counts by five minutes, and each exception."""
