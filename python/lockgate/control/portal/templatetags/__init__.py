"""What the portal's templates can do."""
